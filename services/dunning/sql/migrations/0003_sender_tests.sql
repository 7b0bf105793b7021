-- Test emails of senders. Like the ledger of emails, what became of them outlives a rebuild, and stands beside the schema.
DO $$
DECLARE
    io text := current_schema() || '_io';
BEGIN
    IF to_regnamespace(quote_ident(io)) IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I.sender_tests (
        decision_id     text PRIMARY KEY,
        workspace_id    text NOT NULL,
        sender          text NOT NULL,
        recipient       text NOT NULL,
        state           text NOT NULL CHECK (state IN (''sending'', ''sent'', ''failed'', ''unknown'')),
        reply           text,
        changed_at      timestamptz NOT NULL
    )', io);
    EXECUTE format('COMMENT ON TABLE %I.sender_tests IS ''Test emails: one row per decision that asked for one, written before the SMTP conversation; none is sent twice. Times are machine time.''', io);
END $$;

CREATE INDEX decisions_of_tests ON decisions (workspace_id) WHERE kind = 'dunning.test_send';

-- What dunning keeps: the facts of each subject, the decisions it goes by, episodes and emails as they stand.
-- Times are timestamptz: domain time, but for the columns that say machine time.

CREATE TABLE subjects (
    subject      text PRIMARY KEY,
    workspace_id text NOT NULL,
    is_open      boolean NOT NULL,
    state        bytea NOT NULL
);
CREATE INDEX subjects_open ON subjects (workspace_id) WHERE is_open;
COMMENT ON TABLE subjects IS 'Of each customer or user: the facts that are known, the episodes as last published, what is due (MessagePack; see services/dunning/core.py).';
COMMENT ON COLUMN subjects.is_open IS 'Whether an episode is open, so that a decision of the workspace concerns it.';

CREATE TABLE decisions (
    decision_id      text PRIMARY KEY,
    workspace_id     text NOT NULL,
    connection_id    text,
    subject          text,
    kind             text NOT NULL,
    detail           jsonb NOT NULL,
    decided_by       text NOT NULL,
    why              text,
    effective_at     timestamptz NOT NULL,
    source_topic     text NOT NULL,
    source_partition integer NOT NULL,
    source_offset    bigint NOT NULL
);
CREATE INDEX decisions_of_workspace ON decisions (workspace_id) WHERE subject IS NULL;
CREATE INDEX decisions_of_subject ON decisions (subject);
COMMENT ON TABLE decisions IS 'The image of control.decision.v1, as far as dunning goes by it.';
COMMENT ON COLUMN decisions.subject IS 'Whom alone it is about; null: the whole workspace.';

CREATE TABLE due (
    subject      text NOT NULL,
    episode_id   text NOT NULL,
    step         integer NOT NULL,
    attempt      text NOT NULL,
    due_at       timestamptz NOT NULL,
    request_id   text,
    requested_at timestamptz,
    why          text,
    PRIMARY KEY (subject, episode_id, step, attempt)
);
COMMENT ON TABLE due IS 'Emails that are due and not settled: the sender''s work.';
COMMENT ON COLUMN due.requested_at IS 'When a fresh read was asked for last (machine time).';
COMMENT ON COLUMN due.why IS 'What it waits for.';

CREATE TABLE episodes (
    episode_id       text PRIMARY KEY,
    subject          text NOT NULL,
    workspace_id     text NOT NULL,
    connection_id    text,
    customer_id      text,
    user_id          text,
    livemode         boolean NOT NULL,
    state            text NOT NULL CHECK (state IN ('proposed', 'waiting', 'due', 'held', 'exhausted', 'recovered', 'closed')),
    reason           text,
    opened_at        timestamptz NOT NULL,
    ended_at         timestamptz,
    step             integer NOT NULL,
    steps            integer NOT NULL,
    due_at           timestamptz,
    mailed           integer NOT NULL,
    mailed_at        timestamptz,
    decline_reason   text,
    invoices         jsonb NOT NULL,
    policy           jsonb NOT NULL,
    source_topic     text,
    source_partition integer,
    source_offset    bigint,
    recorded_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX episodes_by_workspace ON episodes (workspace_id, state, opened_at DESC);
CREATE INDEX episodes_by_subject ON episodes (subject);
COMMENT ON TABLE episodes IS 'Every episode as it stands; the topic dunning.event.v1 holds how it came to be so.';

CREATE TABLE amounts (
    episode_id    text NOT NULL REFERENCES episodes ON DELETE CASCADE,
    currency      text NOT NULL,
    at_stake      bigint NOT NULL,
    remaining     bigint NOT NULL,
    recovered     bigint NOT NULL,
    PRIMARY KEY (episode_id, currency)
);
COMMENT ON TABLE amounts IS 'Of each episode and currency, minor units: what was due, what still is, what was paid.';

CREATE TABLE emails (
    episode_id       text NOT NULL,
    step             integer NOT NULL,
    attempt          text NOT NULL,
    workspace_id     text NOT NULL,
    connection_id    text,
    customer_id      text,
    user_id          text,
    state            text NOT NULL CHECK (state IN ('due', 'unknown', 'failed', 'captured', 'sent')),
    standing         integer NOT NULL,
    at               timestamptz NOT NULL,
    message_id       text,
    recipient        text,
    subject_line     text,
    reason           text,
    detail           jsonb NOT NULL,
    source_topic     text NOT NULL,
    source_partition integer NOT NULL,
    source_offset    bigint NOT NULL,
    PRIMARY KEY (episode_id, step, attempt)
);
COMMENT ON TABLE emails IS 'Every email as dunning.event.v1 tells of it; what it said is in dunning_io.mails.';
COMMENT ON COLUMN emails.standing IS 'How far it has come; a record about an earlier stage changes nothing.';

-- What keeps an email from going twice outlives a rebuild, and stands beside the schema.
DO $$
DECLARE
    io text := current_schema() || '_io';
BEGIN
    IF to_regnamespace(quote_ident(io)) IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I.mails (
        episode_id      text NOT NULL,
        step            integer NOT NULL,
        attempt         text NOT NULL,
        subject         text NOT NULL,
        workspace_id    text NOT NULL,
        message_id      text,
        state           text NOT NULL CHECK (state IN (''announced'', ''sending'', ''waiting'', ''sent'', ''captured'', ''failed'', ''unknown'')),
        claim           uuid,
        data_started_at timestamptz,
        tries           integer NOT NULL DEFAULT 0,
        not_before      timestamptz,
        recipient       text,
        subject_line    text,
        body_text       text,
        body_html       text,
        reply           text,
        origin          text NOT NULL DEFAULT ''here'' CHECK (origin IN (''here'', ''log'')),
        announced_at    timestamptz NOT NULL DEFAULT now(),
        changed_at      timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (episode_id, step, attempt)
    )', io);
    EXECUTE format('CREATE INDEX ON %I.mails (state) WHERE state IN (''sending'', ''waiting'')', io);
    EXECUTE format('COMMENT ON TABLE %I.mails IS ''The ledger of emails: one row per episode, step and attempt, written before anything else is done. Times are machine time.''', io);
    EXECUTE format('COMMENT ON COLUMN %I.mails.claim IS ''Who holds the SMTP conversation; a takeover changes it, and the one before can begin no DATA.''', io);
    EXECUTE format('COMMENT ON COLUMN %I.mails.data_started_at IS ''Committed before DATA: from here on a loss leaves the email unknown.''', io);
    EXECUTE format('COMMENT ON COLUMN %I.mails.origin IS ''log: this database learned of it from the topic, somebody else announced it.''', io);
    EXECUTE format('CREATE TABLE %I.arming (
        only_one          boolean PRIMARY KEY DEFAULT true CHECK (only_one),
        system_identifier bigint NOT NULL,
        timeline          integer NOT NULL,
        database_oid      bigint NOT NULL,
        event_ends        jsonb NOT NULL,
        armed_at          timestamptz NOT NULL,
        armed_by          text NOT NULL,
        disarmed_at       timestamptz,
        reason            text
    )', io);
    EXECUTE format('COMMENT ON TABLE %I.arming IS ''Which database may send, and where dunning.event.v1 ended when that was decided. Times are machine time.''', io);
END $$;

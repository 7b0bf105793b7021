-- Requests for a fresh read of a customer that are not answered yet. A row is written when its request is consumed,
-- and goes in the transaction that puts the answer into the outbox.

CREATE TABLE refreshes (
    request_id    text PRIMARY KEY,
    workspace_id  text NOT NULL,
    connection_id text NOT NULL,
    customer_id   text NOT NULL,
    invoice_ids   text[] NOT NULL,
    requested_at  timestamptz NOT NULL,
    asked_at      timestamptz NOT NULL,
    reason        text NOT NULL
);
CREATE INDEX refreshes_by_connection ON refreshes (connection_id, asked_at);
COMMENT ON TABLE refreshes IS 'Requests for a fresh read of a customer that are not answered yet.';
COMMENT ON COLUMN refreshes.requested_at IS 'When it was asked for, in domain time.';
COMMENT ON COLUMN refreshes.asked_at IS 'When the request came into the log, by the machine''s time: its age goes by that.';
COMMENT ON COLUMN refreshes.reason IS 'Why it was asked for.';

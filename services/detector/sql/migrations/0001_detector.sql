-- What the detector keeps: the facts of each subject, and the signals that follow from them.

CREATE TABLE subjects (
    subject      text PRIMARY KEY,
    workspace_id text NOT NULL,
    state        bytea NOT NULL
);
COMMENT ON TABLE subjects IS 'Of each subject: the facts that are known, and the signals as last published (MessagePack; see services/detector/core.py).';

CREATE TABLE signals (
    signal_id        text PRIMARY KEY,
    subject          text NOT NULL,
    workspace_id     text NOT NULL,
    connection_id    text NOT NULL,
    livemode         boolean NOT NULL,
    customer_id      text,
    user_id          text,
    code             text NOT NULL,
    state            text NOT NULL CHECK (state IN ('open', 'resolved', 'withdrawn')),
    severity         text NOT NULL CHECK (severity IN ('medium', 'high', 'critical')),
    opened_at        timestamptz NOT NULL,
    resolved_at      timestamptz,
    resolution       text,
    sentence         text NOT NULL,
    detail           jsonb NOT NULL,
    evidence         jsonb NOT NULL,
    revision         integer NOT NULL,
    source_topic     text,
    source_partition integer,
    source_offset    bigint,
    recorded_at      timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL) OR state = 'withdrawn')
);
CREATE INDEX signals_by_workspace ON signals (workspace_id, code, state, opened_at DESC);
CREATE INDEX signals_by_subject ON signals (subject);
COMMENT ON TABLE signals IS 'Every signal as it stands; the topic churn.signal.v1 holds how it came to be so.';
COMMENT ON COLUMN signals.revision IS 'How often something was published of the signal.';
COMMENT ON COLUMN signals.source_topic IS 'The record that led to the latest change; null where time did.';
COMMENT ON COLUMN signals.recorded_at IS 'When the row was last written (the database''s clock).';

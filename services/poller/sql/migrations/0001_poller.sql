-- What the poller knows of each connection, of each object it saw, and what it asked Stripe.
-- Instants of Stripe's clock are Unix seconds (bigint), as Stripe gives them; timestamptz is ours. Leases and
-- back-off go by the machine's time, everything about days and deadlines by domain time.

CREATE TABLE connections (
    connection_id text PRIMARY KEY,
    workspace_id  text NOT NULL,
    phase         text NOT NULL DEFAULT 'validating'
                  CHECK (phase IN ('validating', 'first_minute', 'live', 'stopped', 'ended')),
    key_digest    bytea NOT NULL,
    account_id    text,
    livemode      boolean NOT NULL,
    capabilities  jsonb,
    connected_at  bigint,
    synced        boolean NOT NULL DEFAULT false,
    sizes         jsonb,
    tick          bigint NOT NULL DEFAULT 0,
    next_at       timestamptz NOT NULL,
    retry_at      timestamptz,
    failures      int NOT NULL DEFAULT 0,
    lease_owner   text,
    lease_until   timestamptz,
    lease_epoch   bigint NOT NULL DEFAULT 0
);
CREATE INDEX connections_due ON connections (next_at) WHERE phase IN ('validating', 'first_minute', 'live');
CREATE INDEX connections_account ON connections (workspace_id, account_id);
COMMENT ON TABLE connections IS 'One row per connection that was submitted: its phase, its lease, when it is due.';
COMMENT ON COLUMN connections.key_digest IS 'SHA-256 of the sealed key, to notice that another one was submitted.';
COMMENT ON COLUMN connections.connected_at IS 'Newest instant of Stripe''s clock seen at connect; older objects are backfilled.';
COMMENT ON COLUMN connections.sizes IS 'How large the account is, counted once in a while: its tier follows from it.';
COMMENT ON COLUMN connections.next_at IS 'Domain time of the next poll.';
COMMENT ON COLUMN connections.retry_at IS 'Machine time before which a failed connection is left alone.';
COMMENT ON COLUMN connections.lease_epoch IS 'Rises at every lease; the high part of every version published under it.';

CREATE TABLE connection_status (
    connection_id     text PRIMARY KEY,
    workspace_id      text NOT NULL,
    state             text NOT NULL
                      CHECK (state IN ('validating', 'refused', 'first_minute', 'syncing', 'live', 'stopped')),
    reason            text,
    remedy            text,
    warnings          jsonb NOT NULL DEFAULT '[]',
    account_id        text,
    account_name      text,
    livemode          boolean,
    permissions       jsonb NOT NULL DEFAULT '{}',
    progress          jsonb NOT NULL DEFAULT '{}',
    customers_counted bigint,
    connected_at      timestamptz NOT NULL,
    first_minute_at   timestamptz,
    synced_at         timestamptz,
    last_poll_at      timestamptz,
    next_poll_at      timestamptz,
    last_error        text,
    reads_used        bigint NOT NULL DEFAULT 0,
    reads_allowed     bigint NOT NULL DEFAULT 0,
    calls_last_poll   int NOT NULL DEFAULT 0,
    updated_at        timestamptz NOT NULL
);
COMMENT ON TABLE connection_status IS 'What the card of a connection shows; the console reads it.';

CREATE TABLE objects (
    connection_id text NOT NULL,
    object_id     text NOT NULL,
    workspace_id  text NOT NULL,
    kind          text NOT NULL,
    subject       text NOT NULL,
    fingerprint   text NOT NULL,
    version       bigint NOT NULL,
    last_id       uuid NOT NULL,
    seen_version  bigint NOT NULL,
    seen_closed   bigint NOT NULL,
    created       bigint,
    status        text,
    deleted       boolean NOT NULL DEFAULT false,
    due_at        bigint,
    PRIMARY KEY (connection_id, object_id)
) WITH (fillfactor = 80);
CREATE INDEX objects_due ON objects (connection_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX objects_open ON objects (connection_id, kind, status)
    WHERE (kind = 'invoice' AND status IN ('draft', 'open')) OR (kind = 'charge' AND status = 'pending')
       OR kind = 'customer';
COMMENT ON TABLE objects IS 'Every object of Stripe that was published: its latest fingerprint, version and record.';
COMMENT ON COLUMN objects.subject IS 'Fixed by the object''s first record.';
COMMENT ON COLUMN objects.version IS 'Version of its last record.';
COMMENT ON COLUMN objects.last_id IS 'ce_id of its last record: the next one''s id is chained to it.';
COMMENT ON COLUMN objects.seen_version IS 'Version of the latest read that showed it, changed or not.';
COMMENT ON COLUMN objects.seen_closed IS 'The version that would have been drawn when that read''s answer came.';
COMMENT ON COLUMN objects.due_at IS 'When to read it alone again, in Unix seconds of Stripe''s clock; null: never.';

CREATE TABLE invoice_payments (
    connection_id     text NOT NULL,
    payment_intent_id text NOT NULL,
    invoice_id        text NOT NULL,
    PRIMARY KEY (connection_id, payment_intent_id, invoice_id)
);
COMMENT ON TABLE invoice_payments IS 'Which invoice a payment intent pays.';

CREATE TABLE shards (
    connection_id  text NOT NULL,
    task           text NOT NULL,
    shard          int NOT NULL,
    created_from   bigint,
    created_before bigint,
    after_id       text,
    objects        int NOT NULL DEFAULT 0,
    done           boolean NOT NULL DEFAULT false,
    PRIMARY KEY (connection_id, task, shard)
);
COMMENT ON TABLE shards IS 'The first sync: parts of its lists, and how far each was read and committed.';

CREATE TABLE cursors (
    connection_id text NOT NULL,
    name          text NOT NULL,
    at            bigint,
    after_id      text,
    pass_version  bigint,
    PRIMARY KEY (connection_id, name)
);
COMMENT ON TABLE cursors IS 'How far the hot lists and the rolling sweeps have got, by call.';
COMMENT ON COLUMN cursors.at IS 'Unix seconds of Stripe''s clock; moves only after the last page was committed.';
COMMENT ON COLUMN cursors.pass_version IS 'Version at which the pass under way began: what it did not show is missing.';

CREATE TABLE read_days (
    account   text NOT NULL,
    day       date NOT NULL,
    lists     bigint NOT NULL DEFAULT 0,
    focused   bigint NOT NULL DEFAULT 0,
    others    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (account, day)
);
COMMENT ON TABLE read_days IS 'The read meter: requests by account and day (UTC, domain time), shared by all pollers.';

CREATE TABLE transaction_days (
    connection_id text NOT NULL,
    day           date NOT NULL,
    succeeded     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (connection_id, day)
);
COMMENT ON TABLE transaction_days IS 'Succeeded charges by the day of their creation (UTC): the allowance follows them.';

CREATE TABLE api_calls (
    call_id          uuid PRIMARY KEY,
    workspace_id     text NOT NULL,
    connection_id    text NOT NULL,
    called_at        timestamptz NOT NULL,
    endpoint         text NOT NULL,
    parameters       jsonb NOT NULL,
    purpose          text NOT NULL,
    status           int,
    error            text,
    request_id       text,
    milliseconds     int NOT NULL,
    objects          int NOT NULL,
    reads_used       bigint NOT NULL,
    reads_allowed    bigint NOT NULL,
    source_topic     text NOT NULL,
    source_partition int NOT NULL,
    source_offset    bigint NOT NULL
);
CREATE INDEX api_calls_connection ON api_calls (connection_id, called_at);
COMMENT ON TABLE api_calls IS 'One row per request made to Stripe, kept as long as the topic keeps its record.';

CREATE VIEW analytics.api_calls WITH (security_invoker = true) AS
    SELECT workspace_id, connection_id, call_id, called_at, endpoint, parameters, purpose, status, error, request_id,
           milliseconds, objects, reads_used, reads_allowed, source_topic, source_partition, source_offset
    FROM api_calls;
COMMENT ON VIEW analytics.api_calls IS 'Every request DropFix made to Stripe, as Stripe''s own log shows it (90 days).';
COMMENT ON COLUMN analytics.api_calls.workspace_id IS 'The company.';
COMMENT ON COLUMN analytics.api_calls.connection_id IS 'The Stripe account in one mode, as this workspace sees it.';
COMMENT ON COLUMN analytics.api_calls.call_id IS 'Deterministic id of the request.';
COMMENT ON COLUMN analytics.api_calls.called_at IS 'When the request was sent (UTC, domain time).';
COMMENT ON COLUMN analytics.api_calls.endpoint IS 'Path below the API''s base, ids replaced by {id}.';
COMMENT ON COLUMN analytics.api_calls.parameters IS 'The query; expansions joined by commas.';
COMMENT ON COLUMN analytics.api_calls.purpose IS 'connect, first_minute, hot, slot, sweep, whole, focused or refresh.';
COMMENT ON COLUMN analytics.api_calls.status IS 'HTTP status; null where no answer came.';
COMMENT ON COLUMN analytics.api_calls.error IS 'Stripe''s error type and code, or the transport''s failure.';
COMMENT ON COLUMN analytics.api_calls.request_id IS 'Stripe''s Request-Id.';
COMMENT ON COLUMN analytics.api_calls.milliseconds IS 'From sending the request to the whole answer.';
COMMENT ON COLUMN analytics.api_calls.objects IS 'Objects in the answer.';
COMMENT ON COLUMN analytics.api_calls.reads_used IS 'Requests of the running 30 days, this one included.';
COMMENT ON COLUMN analytics.api_calls.reads_allowed IS 'The budget of 30 days that the poller keeps to.';
COMMENT ON COLUMN analytics.api_calls.source_topic IS 'Topic of the record that says the same.';
COMMENT ON COLUMN analytics.api_calls.source_partition IS 'Its partition.';
COMMENT ON COLUMN analytics.api_calls.source_offset IS 'Its offset.';

-- The card is live: whoever listens hears of a change when it is committed.
CREATE FUNCTION tell_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('dropfix', 'poller');
    RETURN NULL;
END $$;
CREATE TRIGGER status_told AFTER INSERT OR UPDATE ON connection_status
    FOR EACH STATEMENT EXECUTE FUNCTION tell_status();

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'dropfix_console') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO dropfix_console', current_schema());
        GRANT SELECT ON connection_status TO dropfix_console;
    END IF;
END $$;

-- What the pipeline keeps in every consumer's schema. It stands in the schema that a rebuild makes anew, since it
-- says how far that schema's tables have come.

CREATE TABLE offsets (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    topic_id    uuid NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    last_ce_id  text,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE offsets IS 'The next record of each partition that is not applied yet; moves in the transaction that applies.';
COMMENT ON COLUMN offsets.topic IS 'Catalogue name, without the prefix of the deployment.';
COMMENT ON COLUMN offsets.topic_id IS 'Kafka''s id of the topic that the offset belongs to: one made anew has another.';
COMMENT ON COLUMN offsets.last_ce_id IS 'ce_id of the record before next_offset, checked at every start.';

CREATE TABLE locks (
    kind     text NOT NULL,
    id       text NOT NULL,
    reached  timestamptz,
    stood    timestamptz,
    PRIMARY KEY (kind, id)
) WITH (fillfactor = 70);
COMMENT ON TABLE locks IS 'Rows that a transaction locks: identifiers, persons, subjects.';
COMMENT ON COLUMN locks.reached IS 'Of a subject: the latest instant (domain time) it was decided at.';
COMMENT ON COLUMN locks.stood IS 'Of a subject: what reached was before the latest transaction.';

CREATE TABLE timers (
    partition integer NOT NULL,
    subject   text NOT NULL,
    rule      text NOT NULL,
    due_at    timestamptz NOT NULL,
    PRIMARY KEY (subject, rule)
);
CREATE INDEX timers_by_due_at ON timers (due_at, partition);
COMMENT ON TABLE timers IS 'When a subject is to be decided again, by which rule (domain time).';

CREATE TABLE timer_runs (
    partition integer PRIMARY KEY,
    ran_to    timestamptz NOT NULL
);
COMMENT ON TABLE timer_runs IS 'The instant (domain time) up to which a partition''s timers have run.';

-- What must survive a swap stands beside the schema. A shadow has no such place, and so publishes nothing.
DO $$
DECLARE
    io text := current_schema() || '_io';
BEGIN
    IF to_regnamespace(quote_ident(io)) IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I.outbox (
        lane      integer NOT NULL,
        id        bigint GENERATED ALWAYS AS IDENTITY,
        topic     text NOT NULL,
        partition integer NOT NULL,
        key       bytea NOT NULL CHECK (key <> ''''),
        value     bytea NOT NULL,
        headers   bytea NOT NULL,
        PRIMARY KEY (lane, id)
    )', io);
    EXECUTE format('COMMENT ON TABLE %I.outbox IS ''Records to be published; gone once Kafka has acknowledged them.''', io);
    EXECUTE format('CREATE TABLE %I.dead_letters (
        topic       text NOT NULL,
        partition   integer NOT NULL,
        "offset"    bigint NOT NULL,
        reason      text NOT NULL,
        rejected_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (topic, partition, "offset")
    )', io);
    EXECUTE format('CREATE INDEX ON %I.dead_letters (rejected_at)', io);
    EXECUTE format('COMMENT ON TABLE %I.dead_letters IS ''Records that went to the dead-letter topic, and why (machine time).''', io);
    EXECUTE format('CREATE TABLE %I.erased_offsets (
        topic        text NOT NULL,
        partition    integer NOT NULL,
        first_offset bigint NOT NULL,
        last_offset  bigint NOT NULL CHECK (last_offset >= first_offset),
        PRIMARY KEY (topic, partition, first_offset)
    )', io);
    EXECUTE format('COMMENT ON TABLE %I.erased_offsets IS ''Offsets that an erasure took out of the log: the only gaps that are accepted.''', io);
END $$;

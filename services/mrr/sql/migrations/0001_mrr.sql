-- What mrr keeps: the facts of each customer, the ledger that follows from them, and what is asked of it most.

CREATE TABLE customers (
    subject      text PRIMARY KEY,
    workspace_id text NOT NULL,
    state        bytea NOT NULL
) WITH (fillfactor = 80);
COMMENT ON TABLE customers IS 'Of each customer of a connection: what was seen of it that bears on MRR, and the rows that stand (MessagePack; see services/mrr/timeline.py and book.py).';

CREATE TABLE movements (
    movement_id      uuid PRIMARY KEY,
    workspace_id     text NOT NULL,
    connection_id    text NOT NULL,
    customer_id      text NOT NULL,
    currency         text NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('new', 'reactivation', 'expansion', 'contraction', 'churn', 'policy', 'source', 'correction')),
    effective_at     timestamptz NOT NULL,
    observed_at      timestamptz NOT NULL,
    mrr_before       bigint NOT NULL,
    mrr_after        bigint NOT NULL,
    corrects         uuid,
    subscriptions    text[] NOT NULL,
    basis            text NOT NULL,
    reconstructed    boolean NOT NULL,
    policy_version   text NOT NULL,
    detail           jsonb NOT NULL,
    source_topic     text,
    source_partition integer,
    source_offset    bigint,
    CHECK ((kind = 'correction') = (corrects IS NOT NULL))
);
CREATE UNIQUE INDEX movements_by_corrected ON movements (corrects) WHERE corrects IS NOT NULL;
CREATE INDEX movements_by_customer ON movements (connection_id, customer_id, effective_at);
CREATE INDEX movements_by_day ON movements (workspace_id, effective_at);
COMMENT ON TABLE movements IS 'The ledger: rows are added and never changed. A row stands unless a correction names it.';
COMMENT ON COLUMN movements.effective_at IS 'When it took effect.';
COMMENT ON COLUMN movements.observed_at IS 'When it became known.';
COMMENT ON COLUMN movements.source_topic IS 'The record behind it.';

CREATE TABLE balances (
    subject       text NOT NULL,
    currency      text NOT NULL,
    workspace_id  text NOT NULL,
    connection_id text NOT NULL,
    customer_id   text NOT NULL,
    mrr           bigint NOT NULL CHECK (mrr >= 0),
    basis         text NOT NULL,
    unvalued      integer NOT NULL,
    first_at      timestamptz,
    since         timestamptz,
    PRIMARY KEY (subject, currency)
) WITH (fillfactor = 80);
CREATE INDEX balances_by_mrr ON balances (workspace_id, connection_id, currency, mrr DESC);
COMMENT ON TABLE balances IS 'Every customer''s MRR as it stands, per currency: the end of its ledger in movements.';

CREATE TABLE deltas (
    partition     integer NOT NULL,
    workspace_id  text NOT NULL,
    connection_id text NOT NULL,
    currency      text NOT NULL,
    quarter       timestamptz NOT NULL,
    new           bigint NOT NULL,
    reactivation  bigint NOT NULL,
    expansion     bigint NOT NULL,
    contraction   bigint NOT NULL,
    churn         bigint NOT NULL,
    policy        bigint NOT NULL,
    source        bigint NOT NULL,
    correction    bigint NOT NULL,
    customers     integer NOT NULL,
    PRIMARY KEY (partition, connection_id, currency, quarter)
) WITH (fillfactor = 70);
CREATE INDEX deltas_by_quarter ON deltas (connection_id, currency, quarter);
COMMENT ON TABLE deltas IS 'What the rows of movements that stand add up to, by the quarter of an hour of their effect, so that days can be cut in any zone; per partition so that no row is hot: SELECT sum(mrr_after - mrr_before) FROM movements, by kind; a correction counts against the kind that it takes back.';
COMMENT ON COLUMN deltas.quarter IS 'When the quarter of an hour begins.';
COMMENT ON COLUMN deltas.customers IS 'Customers that began to have MRR less those that ceased to.';

CREATE TABLE clocks (
    partition integer PRIMARY KEY,
    ahead     interval NOT NULL
);
COMMENT ON TABLE clocks IS 'How far the domain clock was ahead of the database''s at the latest batch of a partition: so a view knows which day it is, also under a simulated clock.';

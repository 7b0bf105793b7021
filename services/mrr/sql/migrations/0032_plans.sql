-- What a customer pays for, as it stands, and what prices are called.

ALTER TABLE balances
    ADD COLUMN prices     text[] NOT NULL DEFAULT '{}',
    ADD COLUMN quantities bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN amounts    bigint[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN balances.prices IS 'Stripe''s ids of the prices behind mrr, each once.';
COMMENT ON COLUMN balances.quantities IS 'In the order of prices: the quantity of their items.';
COMMENT ON COLUMN balances.amounts IS 'In the order of prices: their shares of mrr, which add up to it.';

CREATE TABLE plans (
    connection_id text NOT NULL,
    price_id      text NOT NULL,
    bucket        integer NOT NULL,
    workspace_id  text NOT NULL,
    name          text NOT NULL,
    from_invoice  boolean NOT NULL,
    version       bigint NOT NULL,
    PRIMARY KEY (connection_id, price_id, bucket)
) WITH (fillfactor = 50);
CREATE INDEX plans_of_workspace ON plans (workspace_id);
COMMENT ON TABLE plans IS 'What prices are called: by the description of an invoice''s line, else by their nickname; of several the one seen last. Per bucket (the partition that it was seen in) so that no row is hot.';
COMMENT ON COLUMN plans.version IS 'Version of the observation that it is from.';

-- Whose number stands for a customer and a user who are one person: every revision of a match, and who told of its MRR.

ALTER TABLE matches DROP CONSTRAINT matches_pkey;
ALTER TABLE matches ADD PRIMARY KEY (connection_id, customer_id, user_id, revision);
COMMENT ON TABLE matches IS 'The image of identity.match.v1: of each customer and user that were ever matched, all that was said.';
COMMENT ON COLUMN matches.revision IS 'Which of the things said of the two it is; the latest is how they stand.';

CREATE TABLE first_said (
    workspace_id     text NOT NULL,
    user_id          text NOT NULL,
    first_at         bigint NOT NULL,
    message_id       text NOT NULL,
    source_partition integer NOT NULL,
    source_offset    bigint NOT NULL,
    PRIMARY KEY (workspace_id, user_id)
);
COMMENT ON TABLE first_said IS 'Since when identify() tells the MRR of a user: until it is matched with a customer of Stripe, that number stands.';
COMMENT ON COLUMN first_said.first_at IS 'When the earliest message that tells one happened, Unix microseconds.';
COMMENT ON COLUMN first_said.source_offset IS 'Where in product.identify.v1 that message lies.';

COMMENT ON COLUMN movements.connection_id IS 'The connection; of a ledger that follows from identify() the workspace itself.';
COMMENT ON COLUMN movements.customer_id IS 'The customer; of a ledger that follows from identify() the user.';

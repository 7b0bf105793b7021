-- Who is whom: customers of Stripe's and users of the product, what they go by, and which of them are one person.

CREATE TABLE persons (
    owner            text PRIMARY KEY,
    workspace_id     text NOT NULL,
    connection_id    text,
    customer_id      text,
    user_id          text,
    livemode         boolean,
    deleted          boolean NOT NULL,
    email            text,
    name             text,
    since            timestamptz,
    state            bytea NOT NULL,
    source_topic     text NOT NULL,
    source_partition integer NOT NULL,
    source_offset    bigint NOT NULL,
    CHECK ((customer_id IS NULL) = (connection_id IS NULL)),
    CHECK ((customer_id IS NULL) <> (user_id IS NULL))
);
CREATE INDEX persons_users ON persons (workspace_id, since DESC, user_id DESC) WHERE user_id IS NOT NULL;
COMMENT ON TABLE persons IS 'Every customer and every user, each with what was said of it (MessagePack; see services/detector/identity.py).';
COMMENT ON COLUMN persons.owner IS 'The subject of its records: connection_id/customer_id, or workspace_id/user_id.';
COMMENT ON COLUMN persons.since IS 'Of a user: the earliest that was said of it.';

CREATE TABLE identifiers (
    workspace_id  text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('email', 'user_id')),
    value         text NOT NULL,
    owner         text NOT NULL,
    connection_id text,
    PRIMARY KEY (workspace_id, kind, value, owner)
);
CREATE INDEX identifiers_by_owner ON identifiers (owner);
COMMENT ON TABLE identifiers IS 'What each customer and user goes by now: e-mail addresses in lower case; of a customer the user ids that its metadata names, of a user its own.';

CREATE TABLE matches (
    connection_id    text NOT NULL,
    customer_id      text NOT NULL,
    user_id          text NOT NULL,
    workspace_id     text NOT NULL,
    livemode         boolean NOT NULL,
    state            text NOT NULL CHECK (state IN ('matched', 'unmatched')),
    matched_by       text NOT NULL CHECK (matched_by IN ('metadata', 'email', 'hand')),
    effective_at     timestamptz NOT NULL,
    revision         integer NOT NULL,
    source_topic     text NOT NULL,
    source_partition integer NOT NULL,
    source_offset    bigint NOT NULL,
    PRIMARY KEY (connection_id, customer_id, user_id)
);
CREATE INDEX matches_by_user ON matches (workspace_id, user_id) WHERE state = 'matched';
COMMENT ON TABLE matches IS 'Of each customer and user that were ever matched, how they stand; identity.match.v1 holds how it came to be so.';
COMMENT ON COLUMN matches.revision IS 'How often something was published of the two.';

-- Who is whom, as identity.match.v1 tells: so that mrr goes by the same matches as whoever made them.

CREATE TABLE matches (
    connection_id    text NOT NULL,
    customer_id      text NOT NULL,
    user_id          text NOT NULL,
    workspace_id     text NOT NULL,
    state            text NOT NULL CHECK (state IN ('matched', 'unmatched')),
    matched_by       text NOT NULL,
    effective_at     timestamptz NOT NULL,
    revision         integer NOT NULL,
    source_topic     text NOT NULL,
    source_partition integer NOT NULL,
    source_offset    bigint NOT NULL,
    PRIMARY KEY (connection_id, customer_id, user_id)
);
CREATE INDEX matches_by_user ON matches (workspace_id, user_id);
COMMENT ON TABLE matches IS 'The image of identity.match.v1: of each customer and user that were ever matched, how they stand.';
COMMENT ON COLUMN matches.revision IS 'Which of the things said of the two it is; a later one replaces it.';

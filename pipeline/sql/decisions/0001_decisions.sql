-- A consumer's image of control.decision.v1, of the kinds that concern it. Stands in the schema that a rebuild makes
-- anew: a shadow reads it from the topic, as the live service did.

CREATE TABLE decisions (
    decision_id      text PRIMARY KEY,
    workspace_id     text NOT NULL,
    connection_id    text,
    kind             text NOT NULL,
    detail           jsonb NOT NULL,
    decided_by       text NOT NULL,
    why              text,
    decided_at       timestamptz NOT NULL,
    effective_at     timestamptz NOT NULL,
    source_topic     text NOT NULL,
    source_partition integer NOT NULL,
    source_offset    bigint NOT NULL
);
CREATE INDEX decisions_of_workspace ON decisions (workspace_id, effective_at);
COMMENT ON TABLE decisions IS 'What people decided, as far as this service goes by it: the image of control.decision.v1.';
COMMENT ON COLUMN decisions.effective_at IS 'From when on it counts (domain time).';

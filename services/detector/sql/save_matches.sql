INSERT INTO matches AS m (
    connection_id, customer_id, user_id, workspace_id, livemode, state, matched_by, effective_at, revision,
    source_topic, source_partition, source_offset
)
SELECT * FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[], %s::text[], %s::text[], %s::timestamptz[],
    %s::integer[], %s::text[], %s::integer[], %s::bigint[]
)
ON CONFLICT (connection_id, customer_id, user_id) DO UPDATE SET
    state = excluded.state,
    matched_by = excluded.matched_by,
    effective_at = excluded.effective_at,
    revision = excluded.revision,
    source_topic = excluded.source_topic,
    source_partition = excluded.source_partition,
    source_offset = excluded.source_offset

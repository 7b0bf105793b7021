INSERT INTO signals AS s (
    signal_id, subject, workspace_id, connection_id, livemode, customer_id, user_id, code, state, severity,
    opened_at, resolved_at, resolution, sentence, detail, evidence, revision,
    source_topic, source_partition, source_offset
)
SELECT * FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[], %s::jsonb[], %s::jsonb[], %s::integer[],
    %s::text[], %s::integer[], %s::bigint[]
)
ON CONFLICT (signal_id) DO UPDATE SET
    customer_id = excluded.customer_id,
    user_id = excluded.user_id,
    state = excluded.state,
    severity = excluded.severity,
    opened_at = excluded.opened_at,
    resolved_at = excluded.resolved_at,
    resolution = excluded.resolution,
    sentence = excluded.sentence,
    detail = excluded.detail,
    evidence = excluded.evidence,
    revision = excluded.revision,
    source_topic = excluded.source_topic,
    source_partition = excluded.source_partition,
    source_offset = excluded.source_offset,
    recorded_at = now()
WHERE s.revision < excluded.revision

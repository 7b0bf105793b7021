INSERT INTO persons (
    owner, workspace_id, connection_id, customer_id, user_id, livemode, deleted, email, name, since, state,
    source_topic, source_partition, source_offset
)
SELECT * FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[], %s::boolean[], %s::text[], %s::text[],
    %s::timestamptz[], %s::bytea[], %s::text[], %s::integer[], %s::bigint[]
)
ON CONFLICT (owner) DO UPDATE SET
    livemode = excluded.livemode,
    deleted = excluded.deleted,
    email = excluded.email,
    name = excluded.name,
    since = excluded.since,
    state = excluded.state,
    source_topic = excluded.source_topic,
    source_partition = excluded.source_partition,
    source_offset = excluded.source_offset

-- Arrays come in binary, which costs a fraction of their text; what has no binary form of its own comes as text.
INSERT INTO movements (
    movement_id, workspace_id, connection_id, customer_id, currency, kind, effective_at, observed_at, mrr_before,
    mrr_after, corrects, subscriptions, basis, reconstructed, policy_version, detail, source_topic, source_partition,
    source_offset
)
SELECT
    movement_id::uuid, workspace_id, connection_id, customer_id, currency, kind, effective_at, observed_at, mrr_before,
    mrr_after, nullif(corrects, '')::uuid, coalesce(string_to_array(nullif(subscriptions, ''), ' '), '{}'), basis,
    reconstructed, policy_version, detail::jsonb, nullif(source_topic, ''), nullif(source_partition, -1),
    nullif(source_offset, -1)
FROM unnest(
    %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::timestamptz[], %b::timestamptz[],
    %b::bigint[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::boolean[], %b::text[], %b::text[],
    %b::text[], %b::integer[], %b::bigint[]
) AS m (
    movement_id, workspace_id, connection_id, customer_id, currency, kind, effective_at, observed_at, mrr_before,
    mrr_after, corrects, subscriptions, basis, reconstructed, policy_version, detail, source_topic, source_partition,
    source_offset
)

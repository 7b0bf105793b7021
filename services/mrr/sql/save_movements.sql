INSERT INTO movements (
    movement_id, workspace_id, connection_id, customer_id, currency, kind, effective_at, observed_at, mrr_before,
    mrr_after, corrects, subscriptions, basis, reconstructed, policy_version, detail, source_topic, source_partition,
    source_offset
)
SELECT
    movement_id, workspace_id, connection_id, customer_id, currency, kind, effective_at, observed_at, mrr_before,
    mrr_after, corrects, coalesce(string_to_array(nullif(subscriptions, ''), ' '), '{}'), basis, reconstructed,
    policy_version, detail, source_topic, source_partition, source_offset
FROM unnest(
    %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[],
    %s::bigint[], %s::bigint[], %s::uuid[], %s::text[], %s::text[], %s::boolean[], %s::text[], %s::jsonb[],
    %s::text[], %s::integer[], %s::bigint[]
) AS m (
    movement_id, workspace_id, connection_id, customer_id, currency, kind, effective_at, observed_at, mrr_before,
    mrr_after, corrects, subscriptions, basis, reconstructed, policy_version, detail, source_topic, source_partition,
    source_offset
)

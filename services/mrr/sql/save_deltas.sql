INSERT INTO deltas AS d (
    partition, workspace_id, connection_id, currency, quarter, new, reactivation, expansion, contraction, churn, policy,
    source, correction, customers
)
SELECT
    %s, workspace_id, connection_id, currency, quarter,
    coalesce(sum(delta) FILTER (WHERE kind = 'new'), 0),
    coalesce(sum(delta) FILTER (WHERE kind = 'reactivation'), 0),
    coalesce(sum(delta) FILTER (WHERE kind = 'expansion'), 0),
    coalesce(sum(delta) FILTER (WHERE kind = 'contraction'), 0),
    coalesce(sum(delta) FILTER (WHERE kind = 'churn'), 0),
    coalesce(sum(delta) FILTER (WHERE kind = 'policy'), 0),
    coalesce(sum(delta) FILTER (WHERE kind = 'source'), 0),
    coalesce(sum(delta) FILTER (WHERE kind = 'correction'), 0),
    sum(customers)
FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::bigint[], %s::integer[])
    AS n (workspace_id, connection_id, currency, quarter, kind, delta, customers)
GROUP BY workspace_id, connection_id, currency, quarter
ORDER BY connection_id, currency, quarter
ON CONFLICT (partition, connection_id, currency, quarter) DO UPDATE SET
    new = d.new + excluded.new,
    reactivation = d.reactivation + excluded.reactivation,
    expansion = d.expansion + excluded.expansion,
    contraction = d.contraction + excluded.contraction,
    churn = d.churn + excluded.churn,
    policy = d.policy + excluded.policy,
    source = d.source + excluded.source,
    correction = d.correction + excluded.correction,
    customers = d.customers + excluded.customers

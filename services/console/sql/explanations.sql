-- Why an MRR is what it is, from the ledger that mrr keeps in `analytics`.

-- name: movements
SELECT m.connection_id, m.currency, m.kind, m.effective_at, m.observed_at, m.mrr_before, m.mrr_after, m.policy_version,
    m.basis, m.reconstructed, m.subscriptions, m.detail, m.movement_id::text, m.source_topic, m.source_partition,
    m.source_offset
FROM analytics.mrr_movements m
LEFT JOIN analytics.workspace_calendar c ON c.workspace_id = m.workspace_id
WHERE m.workspace_id = %(workspace_id)s AND m.customer_id = %(customer_id)s AND m.stands
    AND (%(day)s::date IS NULL
        OR m.effective_at < (%(day)s::date + 1)::timestamp AT TIME ZONE coalesce(c.timezone, 'UTC'))
ORDER BY m.connection_id, m.currency, m.effective_at

-- name: held
SELECT connection_id, currency, prices, quantities, amounts FROM analytics.mrr_by_customer
WHERE workspace_id = %(workspace_id)s AND customer_id = %(customer_id)s

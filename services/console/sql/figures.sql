-- Figures and lists, from the views that the other services keep in `analytics`.
-- `connections` is always the workspace's own set, and every statement names the workspace besides.

-- name: customers_count
SELECT count(*) FROM analytics.customers
WHERE workspace_id = %(workspace_id)s AND connection_id = ANY(%(connections)s) AND NOT coalesce(deleted, false)

-- name: users_alone
SELECT count(*) FROM analytics.users u
WHERE u.workspace_id = %(workspace_id)s AND NOT EXISTS (
    SELECT FROM analytics.identity_matches m
    WHERE m.workspace_id = u.workspace_id AND m.user_id = u.user_id AND m.state = 'matched'
        AND m.connection_id = ANY(%(connections)s)
)

-- name: mrr_by_currency
-- What identify() tells, of users who are no customers of Stripe, is under the workspace itself.
SELECT currency, sum(mrr)::bigint, count(*) FROM analytics.mrr_by_customer
WHERE workspace_id = %(workspace_id)s AND connection_id = ANY(array_append(%(connections)s::text[], %(workspace_id)s)) AND mrr <> 0
GROUP BY currency

-- name: signals_by_code
SELECT code,
    count(*) FILTER (WHERE state = 'open') AS open,
    count(*) FILTER (WHERE opened_at >= %(since)s) AS recent
FROM analytics.signals
WHERE workspace_id = %(workspace_id)s AND (connection_id IS NULL OR connection_id = ANY(%(connections)s))
    AND state <> 'withdrawn' AND (state = 'open' OR opened_at >= %(since)s)
GROUP BY code

-- name: signals
SELECT s.signal_id, s.code, s.state, s.severity, s.sentence, s.opened_at, s.resolved_at, s.customer_id, s.user_id,
    coalesce(s.detail, '{}'), coalesce(s.evidence, '[]')
FROM analytics.signals s
WHERE s.workspace_id = %(workspace_id)s AND (s.connection_id IS NULL OR s.connection_id = ANY(%(connections)s))
    AND s.state <> 'withdrawn'
    AND (%(code)s::text IS NULL OR s.code = %(code)s)
    AND (%(customer_id)s::text IS NULL OR s.customer_id = %(customer_id)s)
    AND (s.state = 'open' OR NOT %(only_open)s)
    AND (%(since)s::timestamptz IS NULL OR s.opened_at >= %(since)s)
    AND (%(after_at)s::timestamptz IS NULL OR (s.opened_at, s.signal_id) < (%(after_at)s, %(after_id)s))
ORDER BY s.opened_at DESC, s.signal_id DESC LIMIT %(limit)s

-- name: names
SELECT customer_id, name, email FROM analytics.customers
WHERE workspace_id = %(workspace_id)s AND connection_id = ANY(%(connections)s) AND customer_id = ANY(%(ids)s)

-- name: newest_customers
SELECT connection_id, customer_id, name, email, created_at FROM analytics.customers
WHERE workspace_id = %(workspace_id)s AND connection_id = ANY(%(connections)s) AND NOT coalesce(deleted, false)
    AND (%(search)s::text IS NULL OR name ILIKE %(search)s OR email ILIKE %(search)s OR customer_id ILIKE %(search)s)
    AND (%(after)s::timestamptz IS NULL OR (created_at, customer_id) < (%(after)s, %(after_id)s))
ORDER BY created_at DESC, customer_id DESC LIMIT %(limit)s

-- name: paying_customers
-- A user whose MRR identify() tells is among them, under the workspace itself.
SELECT m.connection_id, m.customer_id, coalesce(c.name, u.name), coalesce(c.email, u.email),
    coalesce(c.created_at, u.first_seen_at), m.mrr
FROM analytics.mrr_by_customer m
LEFT JOIN analytics.customers c ON c.workspace_id = m.workspace_id AND c.connection_id = m.connection_id
    AND c.customer_id = m.customer_id
LEFT JOIN analytics.users u ON u.workspace_id = m.workspace_id AND u.user_id = m.customer_id
    AND m.connection_id = m.workspace_id
WHERE m.workspace_id = %(workspace_id)s AND m.connection_id = ANY(array_append(%(connections)s::text[], %(workspace_id)s))
    AND m.mrr <> 0 AND m.currency = %(currency)s
    AND (%(search)s::text IS NULL OR c.name ILIKE %(search)s OR c.email ILIKE %(search)s OR u.name ILIKE %(search)s
        OR u.email ILIKE %(search)s OR m.customer_id ILIKE %(search)s)
    AND (%(after)s::bigint IS NULL OR (m.mrr, m.customer_id) < (%(after)s, %(after_id)s))
ORDER BY m.mrr DESC, m.customer_id DESC LIMIT %(limit)s

-- name: customer
SELECT connection_id, customer_id, name, email, created_at FROM analytics.customers
WHERE workspace_id = %(workspace_id)s AND connection_id = ANY(%(connections)s) AND customer_id = %(customer_id)s

-- name: mrr_of
SELECT connection_id, customer_id, currency, mrr FROM analytics.mrr_by_customer
WHERE workspace_id = %(workspace_id)s AND connection_id = ANY(array_append(%(connections)s::text[], %(workspace_id)s))
    AND customer_id = ANY(%(ids)s) AND mrr <> 0

-- name: trial_ends_of
SELECT customer_id, min(trial_end) FROM analytics.subscriptions
WHERE workspace_id = %(workspace_id)s AND connection_id = ANY(%(connections)s) AND customer_id = ANY(%(ids)s)
    AND status = 'trialing' GROUP BY customer_id

-- name: open_signals_of
SELECT customer_id, count(*) FROM analytics.signals
WHERE workspace_id = %(workspace_id)s AND connection_id = ANY(%(connections)s) AND customer_id = ANY(%(ids)s)
    AND state = 'open' GROUP BY customer_id

-- name: subscriptions_of
SELECT subscription_id, status, trial_end, current_period_end, cancel_at_period_end, canceled_at
FROM analytics.subscriptions
WHERE workspace_id = %(workspace_id)s AND connection_id = ANY(%(connections)s) AND customer_id = %(customer_id)s
ORDER BY current_period_end DESC NULLS LAST, subscription_id LIMIT 50

-- name: mrr_history
SELECT connection_id, currency, day, mrr_end FROM analytics.mrr_daily
WHERE workspace_id = %(workspace_id)s AND connection_id = ANY(array_append(%(connections)s::text[], %(workspace_id)s)) AND day > %(since)s AND day <= %(until)s

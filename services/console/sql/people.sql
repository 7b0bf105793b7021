-- Users of the product and whose customer they are, from the detector's views.
-- A user is matched within the connections that are shown: a match of a test account says nothing of the live one.

-- name: users
SELECT u.user_id, u.name, u.email, u.first_seen_at,
    ARRAY(
        SELECT m.customer_id FROM analytics.identity_matches m
        WHERE m.workspace_id = u.workspace_id AND m.user_id = u.user_id AND m.state = 'matched'
            AND m.connection_id = ANY(%(connections)s)
        ORDER BY m.effective_at, m.customer_id
    )
FROM analytics.users u
WHERE u.workspace_id = %(workspace_id)s
    AND (NOT %(alone)s OR NOT EXISTS (
        SELECT FROM analytics.identity_matches m
        WHERE m.workspace_id = u.workspace_id AND m.user_id = u.user_id AND m.state = 'matched'
            AND m.connection_id = ANY(%(connections)s)
    ))
    AND (%(search)s::text IS NULL OR u.name ILIKE %(search)s OR u.email ILIKE %(search)s OR u.user_id ILIKE %(search)s)
    AND (%(after)s::timestamptz IS NULL OR (u.first_seen_at, u.user_id) < (%(after)s, %(after_id)s))
ORDER BY u.first_seen_at DESC, u.user_id DESC LIMIT %(limit)s

-- name: users_count
SELECT count(*) FROM analytics.users WHERE workspace_id = %(workspace_id)s

-- name: names
SELECT customer_id, name, email FROM analytics.customers
WHERE workspace_id = %(workspace_id)s AND connection_id = ANY(%(connections)s) AND customer_id = ANY(%(ids)s)

-- name: users_of
SELECT m.user_id, u.name, u.email, m.matched_by FROM analytics.identity_matches m
LEFT JOIN analytics.users u ON u.workspace_id = m.workspace_id AND u.user_id = m.user_id
WHERE m.workspace_id = %(workspace_id)s AND m.connection_id = ANY(%(connections)s)
    AND m.customer_id = %(customer_id)s AND m.state = 'matched'
ORDER BY m.effective_at, m.user_id LIMIT 20

-- name: user
SELECT user_id, name, email, first_seen_at FROM analytics.users
WHERE workspace_id = %(workspace_id)s AND user_id = %(user_id)s

-- name: customers_alone
SELECT c.connection_id, c.customer_id, c.name, c.email, c.created_at FROM analytics.customers c
WHERE c.workspace_id = %(workspace_id)s AND c.connection_id = ANY(%(connections)s) AND NOT coalesce(c.deleted, false)
    AND NOT EXISTS (
        SELECT FROM analytics.identity_matches m
        WHERE m.workspace_id = c.workspace_id AND m.connection_id = c.connection_id
            AND m.customer_id = c.customer_id AND m.state = 'matched'
    )
    AND (%(search)s::text IS NULL OR c.name ILIKE %(search)s OR c.email ILIKE %(search)s
        OR c.customer_id ILIKE %(search)s)
    AND (%(after)s::timestamptz IS NULL OR (c.created_at, c.customer_id) < (%(after)s, %(after_id)s))
ORDER BY c.created_at DESC, c.customer_id DESC LIMIT %(limit)s

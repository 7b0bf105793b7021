-- Requests that were made to Stripe, from the poller's view.

-- name: calls
SELECT call_id::text, called_at, endpoint, parameters, purpose, status, error, request_id, milliseconds, objects
FROM analytics.api_calls
WHERE workspace_id = %(workspace_id)s AND connection_id = %(connection_id)s
    AND (NOT %(failed)s OR status IS NULL OR status >= 400)
    AND (%(search)s::text IS NULL OR endpoint ILIKE %(search)s OR request_id = %(exactly)s OR purpose = %(exactly)s)
    AND (%(after)s::timestamptz IS NULL OR (called_at, call_id::text) < (%(after)s, %(after_id)s))
ORDER BY called_at DESC, call_id::text DESC
LIMIT %(limit)s

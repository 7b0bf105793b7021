-- name: ask
INSERT INTO refreshes (request_id, workspace_id, connection_id, customer_id, invoice_ids, requested_at, asked_at,
                       reason)
VALUES (%(request_id)s, %(workspace_id)s, %(connection_id)s, %(customer_id)s, %(invoice_ids)s, %(requested_at)s,
        %(asked_at)s, %(reason)s)
ON CONFLICT (request_id) DO NOTHING

-- name: wake_pollers
SELECT pg_notify('dropfix_connections', %(connection_id)s)

-- name: asked_of
SELECT request_id, workspace_id, connection_id, customer_id, invoice_ids, requested_at, asked_at, reason
FROM refreshes WHERE connection_id = %(connection_id)s AND workspace_id = %(workspace_id)s
ORDER BY asked_at, request_id LIMIT %(limit)s

-- name: take_answered
DELETE FROM refreshes WHERE request_id = ANY(%(ids)s) RETURNING request_id

-- name: hopeless
SELECT r.request_id, r.workspace_id, r.connection_id, r.customer_id, r.invoice_ids, r.requested_at, r.asked_at,
       r.reason, c.phase, s.reason AS said
FROM refreshes AS r
LEFT JOIN connections AS c USING (connection_id, workspace_id)
LEFT JOIN connection_status AS s USING (connection_id, workspace_id)
WHERE c.phase IS DISTINCT FROM 'live' OR c.retry_at > %(machine_now)s + make_interval(secs => %(patience)s)
   OR r.asked_at < %(machine_now)s - make_interval(secs => %(too_old)s)
ORDER BY r.request_id LIMIT %(limit)s FOR UPDATE OF r SKIP LOCKED

-- name: add
INSERT INTO connections (connection_id, workspace_id, sealed_key, key_id, key_kind, key_hint, livemode_claimed, state,
    submitted_at)
VALUES (%(connection_id)s, %(workspace_id)s, %(sealed_key)s, %(key_id)s, %(key_kind)s, %(key_hint)s,
    %(livemode_claimed)s, 'submitted', %(at)s)

-- name: end
UPDATE connections SET sealed_key = NULL, state = 'ended', ended_at = %(at)s
WHERE workspace_id = %(workspace_id)s AND connection_id = %(connection_id)s AND state = 'submitted'
RETURNING connection_id

-- name: handed_over
SELECT connection_id FROM connections
WHERE workspace_id = %(workspace_id)s AND state = 'retired' AND adopted_by = %(connection_id)s
ORDER BY connection_id

-- name: failed
SELECT c.connection_id, CASE s.state WHEN 'refused' THEN 'refused' ELSE 'unchecked' END
FROM connections c JOIN poller.connection_status s USING (connection_id)
WHERE c.workspace_id = %(workspace_id)s AND c.state = 'submitted'
  AND (s.state = 'refused' OR s.state = 'validating' AND s.last_error IS NOT NULL AND s.permissions = '{}')

-- name: of_workspace
SELECT connection_id, key_kind, key_hint, livemode_claimed, state, adopted_by, submitted_at
FROM connections WHERE workspace_id = %(workspace_id)s AND state = 'submitted'
ORDER BY submitted_at DESC, connection_id

-- name: one
SELECT connection_id, key_kind, key_hint, livemode_claimed, state, adopted_by, submitted_at
FROM connections WHERE workspace_id = %(workspace_id)s AND connection_id = %(connection_id)s

-- name: statuses
SELECT connection_id, state, reason, remedy, warnings, account_id, account_name, livemode, permissions, progress,
    customers_counted, connected_at, first_minute_at, synced_at, last_poll_at, next_poll_at, last_error,
    reads_used, reads_allowed, calls_last_poll, updated_at, clock_offset
FROM poller.connection_status WHERE workspace_id = %(workspace_id)s AND connection_id = ANY(%(connection_ids)s)

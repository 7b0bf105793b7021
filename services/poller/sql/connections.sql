-- name: discover
INSERT INTO connections AS mine (connection_id, workspace_id, key_digest, livemode, next_at)
SELECT connection_id, workspace_id, sha256(sealed_key), livemode_claimed, %(now)s
FROM control.connections AS theirs
WHERE state = 'submitted' AND sealed_key IS NOT NULL
  AND NOT EXISTS (SELECT FROM connections AS known WHERE known.connection_id = theirs.connection_id
                  AND known.key_digest = sha256(theirs.sealed_key) AND known.phase <> 'ended')
ON CONFLICT (connection_id) DO UPDATE SET
    key_digest = EXCLUDED.key_digest, livemode = EXCLUDED.livemode, phase = 'validating', next_at = EXCLUDED.next_at,
    retry_at = NULL, failures = 0, lease_until = NULL, lease_epoch = mine.lease_epoch + 1
RETURNING connection_id, workspace_id, livemode

-- name: open_status
INSERT INTO connection_status AS mine (connection_id, workspace_id, state, livemode, connected_at, updated_at)
VALUES (%(connection_id)s, %(workspace_id)s, 'validating', %(livemode)s, %(now)s, %(now)s)
ON CONFLICT (connection_id) DO UPDATE SET
    state = 'validating', reason = NULL, remedy = NULL, last_error = NULL, updated_at = EXCLUDED.updated_at

-- name: end
UPDATE connections SET phase = 'ended', lease_until = NULL, lease_epoch = lease_epoch + 1
WHERE phase <> 'ended' AND NOT EXISTS (
    SELECT FROM control.connections AS theirs WHERE theirs.connection_id = connections.connection_id
    AND theirs.state = 'submitted' AND theirs.sealed_key IS NOT NULL)
RETURNING connection_id

-- name: close_status
UPDATE connection_status SET state = 'stopped', reason = 'Disconnected.', remedy = NULL, next_poll_at = NULL,
    updated_at = %(now)s
WHERE connection_id = ANY(%(ids)s)

-- name: lease
UPDATE connections SET lease_owner = %(owner)s, lease_until = now() + make_interval(secs => %(seconds)s),
    lease_epoch = greatest(lease_epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
WHERE connection_id IN (
    SELECT connection_id FROM connections
    WHERE phase IN ('validating', 'first_minute', 'live') AND (phase <> 'first_minute' OR %(syncs)s)
      AND (next_at <= %(now)s OR phase = 'live' AND connection_id IN (SELECT connection_id FROM refreshes))
      AND (retry_at IS NULL OR retry_at <= now()) AND (lease_until IS NULL OR lease_until < now())
    ORDER BY connection_id IN (SELECT connection_id FROM refreshes) DESC, next_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING connection_id, workspace_id, phase, account_id, livemode, capabilities, connected_at, synced, sizes, tick,
          failures, lease_epoch, next_at, clock_offset

-- name: renew
UPDATE connections SET lease_until = now() + make_interval(secs => %(seconds)s)
WHERE connection_id = %(connection_id)s AND lease_epoch = %(epoch)s RETURNING 1

-- name: fence
SELECT 1 FROM connections WHERE connection_id = %(connection_id)s AND lease_epoch = %(epoch)s FOR SHARE

-- name: sealed_key
SELECT sealed_key, api_base, key_kind FROM control.connections
WHERE connection_id = %(connection_id)s AND state = 'submitted' AND sealed_key IS NOT NULL

-- name: one_claim_at_a_time
SELECT pg_advisory_xact_lock(hashtextextended(
    'claim ' || %(workspace_id)s || ' ' || %(account_id)s || ' ' || %(livemode)s::boolean::text, 0))

-- name: same_account
SELECT connection_id FROM connections
WHERE workspace_id = %(workspace_id)s AND account_id = %(account_id)s AND livemode = %(livemode)s
  AND connection_id <> %(connection_id)s AND phase <> 'ended'
ORDER BY connected_at NULLS LAST, connection_id LIMIT 1

-- name: claim_account
UPDATE connections SET account_id = %(account_id)s WHERE connection_id = %(connection_id)s AND lease_epoch = %(epoch)s

-- name: neighbours
SELECT c.connection_id, c.account_id, s.account_name, c.livemode, theirs.api_base IS NOT DISTINCT FROM mine.api_base
FROM connections AS c
JOIN connection_status AS s USING (connection_id)
JOIN control.connections AS theirs USING (connection_id)
JOIN control.connections AS mine ON mine.connection_id = %(connection_id)s
WHERE c.workspace_id = %(workspace_id)s AND c.connection_id <> %(connection_id)s AND c.phase <> 'ended'
  AND c.connected_at IS NOT NULL AND theirs.state = 'submitted'
ORDER BY c.connected_at, c.connection_id

-- name: holder_of
SELECT connection_id FROM objects
JOIN unnest(%(ids)s::text[], %(created)s::bigint[]) AS seen (object_id, created) USING (object_id, created)
WHERE connection_id = ANY(%(candidates)s)
ORDER BY array_position(%(candidates)s, connection_id) LIMIT 1

-- name: object_held
SELECT kind, object_id, created FROM objects
WHERE connection_id = %(connection_id)s AND kind = ANY(%(kinds)s) AND created IS NOT NULL AND NOT deleted
ORDER BY kind = 'customer', created DESC LIMIT 1

-- name: adopt
SELECT control.adopt_connection(%(new_id)s, %(old_id)s, %(resealed)s)

-- name: identified
UPDATE connections SET account_id = %(account_id)s, capabilities = %(capabilities)s,
    connected_at = coalesce(connected_at, %(as_of)s), clock_offset = %(clock_offset)s
WHERE connection_id = %(connection_id)s AND lease_epoch = %(epoch)s

-- name: release
UPDATE connections SET phase = %(phase)s, synced = %(synced)s, tick = %(tick)s, next_at = %(next_at)s,
    retry_at = now() + make_interval(secs => %(wait)s), failures = %(failures)s, lease_until = NULL
WHERE connection_id = %(connection_id)s AND lease_epoch = %(epoch)s RETURNING 1

-- name: drop_lease
UPDATE connections SET lease_until = NULL WHERE connection_id = %(connection_id)s AND lease_epoch = %(epoch)s

-- name: able
UPDATE connections SET capabilities = %(capabilities)s
WHERE connection_id = %(connection_id)s AND lease_epoch = %(epoch)s

-- name: sized
UPDATE connections SET sizes = %(sizes)s WHERE connection_id = %(connection_id)s

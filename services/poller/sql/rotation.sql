-- name: sealed_to_others
SELECT connection_id, sealed_key FROM control.connections
WHERE state = 'submitted' AND sealed_key IS NOT NULL AND key_id <> %(key_id)s

-- name: reseal
SELECT control.reseal_connection(%(connection_id)s, %(was)s, %(resealed)s, %(key_id)s)

-- name: know_reseal
UPDATE connections SET key_digest = sha256(%(resealed)s::bytea)
WHERE connection_id = %(connection_id)s AND key_digest = sha256(%(was)s::bytea)

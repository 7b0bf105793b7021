-- name: any_member
SELECT EXISTS (SELECT FROM members)

-- name: add_workspace
INSERT INTO workspaces (workspace_id, name, created_at) VALUES (%(workspace_id)s, %(name)s, %(at)s)

-- name: add_member
INSERT INTO members (member_id, workspace_id, email, password_hash, created_at)
VALUES (%(member_id)s, %(workspace_id)s, %(email)s, %(password_hash)s, %(at)s)
ON CONFLICT (email) DO NOTHING RETURNING member_id

-- name: member_by_email
SELECT member_id, workspace_id, password_hash FROM members WHERE email = %(email)s

-- name: workspaces
SELECT workspace_id, name FROM workspaces ORDER BY created_at, workspace_id

-- name: add_session
INSERT INTO sessions (token_hash, workspace_id, member_id, created_at, expires_at)
SELECT %(token_hash)s, workspace_id, member_id, %(at)s, %(expires_at)s FROM members WHERE member_id = %(member_id)s

-- name: session
SELECT m.member_id, m.email, w.workspace_id, w.name
FROM sessions s JOIN members m USING (member_id) JOIN workspaces w ON w.workspace_id = s.workspace_id
WHERE s.token_hash = %(token_hash)s AND s.expires_at > %(at)s

-- name: end_session
DELETE FROM sessions WHERE token_hash = %(token_hash)s

-- name: forget_expired
WITH old_links AS (DELETE FROM links WHERE expires_at <= %(at)s)
DELETE FROM sessions WHERE expires_at <= %(at)s

-- name: lock_first_run
SELECT pg_advisory_xact_lock(hashtext('dropfix.console.first_run'))

-- name: drop_first_run_links
DELETE FROM links WHERE purpose = 'first_run'

-- name: add_link
INSERT INTO links (token_hash, purpose, workspace_id, member_id, created_at, expires_at)
VALUES (%(token_hash)s, %(purpose)s, %(workspace_id)s, %(member_id)s, %(at)s, %(expires_at)s)

-- name: link
SELECT l.member_id, m.email FROM links l LEFT JOIN members m USING (member_id)
WHERE l.token_hash = %(token_hash)s AND l.purpose = %(purpose)s AND l.expires_at > %(at)s

-- name: use_link
DELETE FROM links WHERE token_hash = %(token_hash)s AND purpose = %(purpose)s AND expires_at > %(at)s
RETURNING member_id

-- name: add_write_key
INSERT INTO write_keys (write_key_id, key_hash, workspace_id, hint, created_at)
VALUES (%(write_key_id)s, %(key_hash)s, %(workspace_id)s, %(hint)s, %(at)s)

-- name: write_keys
SELECT write_key_id, hint, created_at, last_used_at FROM write_keys
WHERE workspace_id = %(workspace_id)s AND revoked_at IS NULL ORDER BY created_at DESC, write_key_id

-- name: revoke_write_key
UPDATE write_keys SET revoked_at = %(at)s
WHERE workspace_id = %(workspace_id)s AND write_key_id = %(write_key_id)s AND revoked_at IS NULL

-- name: use_write_key
WITH used AS (
    UPDATE write_keys SET last_used_at = %(at)s
    WHERE key_hash = %(key_hash)s AND revoked_at IS NULL
        AND (last_used_at IS NULL OR last_used_at < %(at)s - interval '1 minute')
)
SELECT workspace_id FROM write_keys WHERE key_hash = %(key_hash)s AND revoked_at IS NULL

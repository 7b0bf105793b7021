-- name: add
INSERT INTO decisions (decision_id, workspace_id, connection_id, kind, detail, decided_by, why, decided_at, effective_at)
VALUES (%(decision_id)s, %(workspace_id)s, %(connection_id)s, %(kind)s, %(detail)s, %(decided_by)s, %(why)s,
    %(decided_at)s, %(effective_at)s)

-- name: connection_is_of
SELECT EXISTS (SELECT FROM connections WHERE workspace_id = %(workspace_id)s AND connection_id = %(connection_id)s)

-- name: history
SELECT d.decision_id, d.workspace_id, d.connection_id, d.kind, d.detail, d.decided_by, d.why, d.decided_at,
    d.effective_at, m.email
FROM decisions d LEFT JOIN members m ON m.member_id = d.decided_by AND m.workspace_id = d.workspace_id
WHERE d.workspace_id = %(workspace_id)s
    AND (%(after_at)s::timestamptz IS NULL OR (d.decided_at, d.decision_id) < (%(after_at)s, %(after_id)s))
ORDER BY d.decided_at DESC, d.decision_id DESC LIMIT %(limit)s

-- name: of_kinds
SELECT kind, detail, effective_at FROM decisions
WHERE workspace_id = %(workspace_id)s AND kind = ANY(%(kinds)s) ORDER BY effective_at, decision_id

-- name: lock_policies
SELECT pg_advisory_xact_lock(hashtext('dropfix.console.policies'), hashtext(%(workspace_id)s))

-- name: is_suppressed
SELECT NOT coalesce((detail ->> 'lifted')::boolean, false) FROM decisions
WHERE workspace_id = %(workspace_id)s AND kind = 'dunning.suppress'
    AND connection_id IS NOT DISTINCT FROM %(connection_id)s AND detail @> %(whom)s
ORDER BY effective_at DESC, decision_id DESC LIMIT 1

-- name: suppressed
SELECT email FROM (
    SELECT DISTINCT ON (lower(detail ->> 'email')) lower(detail ->> 'email') AS email, detail
    FROM decisions
    WHERE workspace_id = %(workspace_id)s AND kind = 'dunning.suppress'
        AND lower(detail ->> 'email') = ANY(%(emails)s)
        AND detail ->> 'customer_id' IS NULL AND detail ->> 'user_id' IS NULL -- those are about whom they name
    ORDER BY lower(detail ->> 'email'), effective_at DESC, decision_id DESC
) AS latest
WHERE NOT coalesce((detail ->> 'lifted')::boolean, false)

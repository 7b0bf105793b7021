-- name: known
SELECT object_id, kind, subject, fingerprint, version, last_id::text, seen_version, seen_closed, status
FROM objects WHERE connection_id = %(connection_id)s AND object_id = ANY(%(ids)s)

-- name: write_objects
INSERT INTO objects (connection_id, workspace_id, object_id, kind, subject, fingerprint, version, last_id,
                     seen_version, seen_closed, created, status, deleted, due_at)
SELECT %(connection_id)s, %(workspace_id)s, row.*
FROM unnest(%(ids)s::text[], %(kinds)s::text[], %(subjects)s::text[], %(fingerprints)s::text[], %(versions)s::bigint[],
            %(last_ids)s::uuid[], %(seen_versions)s::bigint[], %(seen_closed)s::bigint[], %(created)s::bigint[],
            %(statuses)s::text[], %(deleted)s::boolean[], %(due)s::bigint[]) AS row
ON CONFLICT (connection_id, object_id) DO UPDATE SET
    fingerprint = EXCLUDED.fingerprint, version = EXCLUDED.version, last_id = EXCLUDED.last_id,
    seen_version = EXCLUDED.seen_version, seen_closed = EXCLUDED.seen_closed,
    created = coalesce(EXCLUDED.created, objects.created), status = EXCLUDED.status,
    deleted = EXCLUDED.deleted, due_at = EXCLUDED.due_at, gone = false

-- name: touch_objects
UPDATE objects SET seen_version = row.seen_version, seen_closed = row.seen_closed, gone = false
FROM unnest(%(ids)s::text[], %(seen_versions)s::bigint[], %(seen_closed)s::bigint[])
     AS row (object_id, seen_version, seen_closed)
WHERE objects.connection_id = %(connection_id)s AND objects.object_id = row.object_id

-- name: write_invoice_payments
INSERT INTO invoice_payments (connection_id, payment_intent_id, invoice_id)
SELECT %(connection_id)s, row.* FROM unnest(%(intents)s::text[], %(invoices)s::text[]) AS row
ON CONFLICT DO NOTHING

-- name: count_transactions
INSERT INTO transaction_days AS mine (connection_id, day, succeeded)
SELECT %(connection_id)s, row.* FROM unnest(%(days)s::date[], %(counts)s::bigint[]) AS row
ON CONFLICT (connection_id, day) DO UPDATE SET succeeded = mine.succeeded + EXCLUDED.succeeded

-- name: transactions_since
SELECT coalesce(sum(succeeded), 0) FROM transaction_days WHERE connection_id = %(connection_id)s AND day > %(since)s

-- name: due_objects
SELECT object_id, kind FROM objects
WHERE connection_id = %(connection_id)s AND due_at <= %(now)s AND NOT deleted AND NOT gone AND kind = ANY(%(kinds)s)
ORDER BY due_at LIMIT %(limit)s

-- name: mark_gone
UPDATE objects SET gone = true, due_at = NULL
WHERE connection_id = %(connection_id)s AND object_id = %(object_id)s

-- name: put_off
UPDATE objects SET due_at = %(until)s::bigint
WHERE connection_id = %(connection_id)s AND object_id = ANY(%(ids)s) AND due_at <= %(now)s

-- name: make_due
UPDATE objects SET due_at = %(now)s
WHERE connection_id = %(connection_id)s AND object_id = ANY(%(ids)s) AND NOT deleted
  AND seen_version < %(since)s AND NOT (kind = 'invoice' AND status IN ('paid', 'void'))

-- name: left_open_set
UPDATE objects SET due_at = %(now)s
WHERE connection_id = %(connection_id)s AND kind = 'invoice' AND status = 'open' AND seen_version < %(since)s
  AND due_at IS DISTINCT FROM %(now)s
  AND (%(above)s::bigint IS NULL OR created > %(above)s) AND (%(upto)s::bigint IS NULL OR created <= %(upto)s)

-- name: not_listed_customers
UPDATE objects SET due_at = %(now)s
WHERE connection_id = %(connection_id)s AND kind = 'customer' AND NOT deleted AND seen_version < %(since)s
  AND (%(above)s::bigint IS NULL OR created > %(above)s) AND (%(upto)s::bigint IS NULL OR created <= %(upto)s)

-- name: not_listed_subscriptions
UPDATE objects SET due_at = %(now)s
WHERE connection_id = %(connection_id)s AND kind = 'subscription' AND status NOT IN ('canceled', 'incomplete_expired')
  AND seen_version < %(since)s
  AND (%(above)s::bigint IS NULL OR created > %(above)s) AND (%(upto)s::bigint IS NULL OR created <= %(upto)s)

-- name: invoices_of_intents
SELECT payment_intent_id, invoice_id FROM invoice_payments
WHERE connection_id = %(connection_id)s AND payment_intent_id = ANY(%(intents)s)

-- name: subjects_of
SELECT object_id, subject FROM objects WHERE connection_id = %(connection_id)s AND object_id = ANY(%(ids)s)

-- name: measure
SELECT count(*) FILTER (WHERE kind = 'subscription'),
       count(*) FILTER (WHERE kind = 'subscription' AND status <> 'canceled'),
       count(*) FILTER (WHERE kind = 'customer' AND NOT deleted),
       count(*) FILTER (WHERE kind = 'invoice' AND status = 'open')
FROM objects WHERE connection_id = %(connection_id)s

-- name: cursors
SELECT name, at, after_id, pass_version FROM cursors WHERE connection_id = %(connection_id)s

-- name: move_cursor
INSERT INTO cursors (connection_id, name, at, after_id, pass_version)
VALUES (%(connection_id)s, %(name)s, %(at)s, %(after_id)s, %(pass_version)s)
ON CONFLICT (connection_id, name) DO UPDATE SET
    at = EXCLUDED.at, after_id = EXCLUDED.after_id, pass_version = EXCLUDED.pass_version

-- name: objects_named
SELECT connection_id, object_id, kind, subject, status, deleted, version, seen_version, due_at
FROM poller.objects WHERE object_id = %(object_id)s ORDER BY connection_id

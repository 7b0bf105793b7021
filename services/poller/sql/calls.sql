-- name: write_calls
INSERT INTO api_calls (call_id, workspace_id, connection_id, called_at, endpoint, parameters, purpose, status, error,
                       request_id, milliseconds, objects, reads_used, reads_allowed, source_topic, source_partition,
                       source_offset)
VALUES (%(call_id)s, %(workspace_id)s, %(connection_id)s, %(called_at)s, %(endpoint)s, %(parameters)s, %(purpose)s,
        %(status)s, %(error)s, %(request_id)s, %(milliseconds)s, %(objects)s, %(reads_used)s, %(reads_allowed)s,
        %(source_topic)s, %(source_partition)s, %(source_offset)s)
ON CONFLICT (call_id) DO NOTHING

-- name: count_reads
INSERT INTO read_days AS mine (account, day, lists, focused, others)
VALUES (%(account)s, %(day)s, %(lists)s, %(focused)s, %(others)s)
ON CONFLICT (account, day) DO UPDATE SET lists = mine.lists + EXCLUDED.lists,
    focused = mine.focused + EXCLUDED.focused, others = mine.others + EXCLUDED.others

-- name: reads
SELECT day, lists, focused, others FROM read_days WHERE account = %(account)s AND day > %(since)s

-- name: expire_calls
DELETE FROM api_calls WHERE called_at < %(before)s

-- name: fold_reads
WITH before AS (DELETE FROM read_days WHERE account = %(before)s RETURNING day, lists, focused, others)
INSERT INTO read_days AS mine (account, day, lists, focused, others)
SELECT %(account)s, day, lists, focused, others FROM before
ON CONFLICT (account, day) DO UPDATE SET lists = mine.lists + EXCLUDED.lists,
    focused = mine.focused + EXCLUDED.focused, others = mine.others + EXCLUDED.others

-- name: calls
SELECT called_at, connection_id, endpoint, parameters, purpose, status, error, request_id, milliseconds, objects,
       reads_used, reads_allowed
FROM analytics.api_calls
WHERE (%(connection_id)s::text IS NULL OR connection_id = %(connection_id)s)
  AND (%(purpose)s::text IS NULL OR purpose = %(purpose)s)
  AND (%(request_id)s::text IS NULL OR request_id = %(request_id)s)
  AND (NOT %(failed)s OR status IS NULL OR status >= 400)
ORDER BY called_at DESC, call_id LIMIT %(limit)s

-- name: calls_by_id
SELECT call_id::text, called_at, connection_id, endpoint, parameters, purpose, status, error, request_id, milliseconds,
       objects, reads_used, reads_allowed
FROM analytics.api_calls WHERE call_id = ANY(%(ids)s::uuid[])

INSERT INTO due (subject, episode_id, step, attempt, due_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::integer[], %s::text[], %s::timestamptz[])
ON CONFLICT (subject, episode_id, step, attempt) DO UPDATE SET due_at = excluded.due_at

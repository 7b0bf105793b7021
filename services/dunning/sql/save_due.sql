INSERT INTO due (subject, episode_id, step, attempt, due_at, workspace_id)
SELECT * FROM unnest(%s::text[], %s::text[], %s::integer[], %s::text[], %s::timestamptz[], %s::text[])
ON CONFLICT (subject, episode_id, step, attempt) DO UPDATE SET due_at = excluded.due_at

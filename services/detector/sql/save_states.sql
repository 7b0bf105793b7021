INSERT INTO subjects AS s (subject, workspace_id, state)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bytea[])
ON CONFLICT (subject) DO UPDATE SET state = excluded.state
WHERE s.state <> excluded.state

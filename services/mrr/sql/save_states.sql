INSERT INTO customers AS c (subject, workspace_id, state)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bytea[])
ON CONFLICT (subject) DO UPDATE SET workspace_id = excluded.workspace_id, state = excluded.state

INSERT INTO customers AS c (subject, workspace_id, state)
SELECT * FROM unnest(%b::text[], %b::text[], %b::bytea[])
ON CONFLICT (subject) DO UPDATE SET workspace_id = excluded.workspace_id, state = excluded.state

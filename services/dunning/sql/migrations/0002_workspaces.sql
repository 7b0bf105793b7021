-- Whose they are, in every row, so that row security can tell.

ALTER TABLE due ADD COLUMN workspace_id text;
UPDATE due d SET workspace_id = s.workspace_id FROM subjects s WHERE s.subject = d.subject;
ALTER TABLE due ALTER COLUMN workspace_id SET NOT NULL;

ALTER TABLE amounts ADD COLUMN workspace_id text;
UPDATE amounts a SET workspace_id = e.workspace_id FROM episodes e WHERE e.episode_id = a.episode_id;
ALTER TABLE amounts ALTER COLUMN workspace_id SET NOT NULL;

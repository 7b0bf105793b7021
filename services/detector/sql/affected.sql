-- Customers beside those that changed whose match may be another now: who names a user that changed, and who is or was
-- alone in its connection with an address but for those that changed.
WITH touched AS (
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]) AS t (workspace_id, kind, value)
), others AS (
    SELECT i.owner, i.kind, count(*) OVER (PARTITION BY i.workspace_id, i.kind, i.value, i.connection_id) AS holders
    FROM identifiers i JOIN touched USING (workspace_id, kind, value)
    WHERE i.connection_id IS NOT NULL AND i.owner <> ALL (%s::text[])
)
SELECT DISTINCT owner FROM others WHERE kind = 'user_id' OR holders = 1

-- Who holds these identifiers: every user, and of each connection's customers with an address two, which is enough to
-- know that none is alone.
WITH wanted AS (
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]) AS w (workspace_id, kind, value)
), holders AS (
    SELECT i.owner, i.kind, i.connection_id,
           row_number() OVER (PARTITION BY i.workspace_id, i.kind, i.value, i.connection_id ORDER BY i.owner) AS nth
    FROM identifiers i JOIN wanted USING (workspace_id, kind, value)
)
SELECT owner, state FROM persons
WHERE owner IN (SELECT owner FROM holders WHERE connection_id IS NULL OR (kind = 'email' AND nth <= 2))

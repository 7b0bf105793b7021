-- Most names are known already: those rows are not touched, so that partitions do not wait for one another.
INSERT INTO plans AS p (connection_id, price_id, workspace_id, name, from_invoice, version)
SELECT n.* FROM (
    SELECT DISTINCT ON (connection_id, price_id) connection_id, price_id, workspace_id, name, from_invoice, version
    FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::boolean[], %b::bigint[])
        AS n (connection_id, price_id, workspace_id, name, from_invoice, version)
    ORDER BY connection_id, price_id, from_invoice DESC, version DESC, name
) AS n
LEFT JOIN plans k USING (connection_id, price_id)
WHERE k.price_id IS NULL
   OR (k.name <> n.name OR k.from_invoice <> n.from_invoice)
  AND (n.from_invoice, n.version) > (k.from_invoice, k.version)
ON CONFLICT (connection_id, price_id) DO UPDATE SET
    name = excluded.name, from_invoice = excluded.from_invoice, version = excluded.version
WHERE (excluded.from_invoice, excluded.version) > (p.from_invoice, p.version)

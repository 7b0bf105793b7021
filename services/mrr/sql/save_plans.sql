INSERT INTO plans AS p (bucket, connection_id, price_id, workspace_id, name, from_invoice, version)
SELECT DISTINCT ON (connection_id, price_id) %s, connection_id, price_id, workspace_id, name, from_invoice, version
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::boolean[], %b::bigint[])
    AS n (connection_id, price_id, workspace_id, name, from_invoice, version)
ORDER BY connection_id, price_id, from_invoice DESC, version DESC, name DESC
ON CONFLICT (connection_id, price_id, bucket) DO UPDATE SET
    name = excluded.name, from_invoice = excluded.from_invoice, version = excluded.version
WHERE (excluded.from_invoice, excluded.version, excluded.name) > (p.from_invoice, p.version, p.name)

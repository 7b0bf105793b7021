INSERT INTO balances AS b (
    subject, currency, workspace_id, connection_id, customer_id, mrr, basis, unvalued, first_at, since
)
SELECT * FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::integer[],
    %s::timestamptz[], %s::timestamptz[]
)
ON CONFLICT (subject, currency) DO UPDATE SET
    mrr = excluded.mrr,
    basis = excluded.basis,
    unvalued = excluded.unvalued,
    first_at = excluded.first_at,
    since = excluded.since

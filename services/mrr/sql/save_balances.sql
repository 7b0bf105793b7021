INSERT INTO balances AS b (
    subject, currency, workspace_id, connection_id, customer_id, mrr, basis, unvalued, first_at, since, prices,
    quantities, amounts
)
SELECT
    subject, currency, workspace_id, connection_id, customer_id, mrr, basis, unvalued, first_at, since,
    string_to_array(prices, chr(31)), string_to_array(quantities, chr(31))::bigint[],
    string_to_array(amounts, chr(31))::bigint[]
FROM unnest(
    %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bigint[], %b::text[], %b::integer[],
    %b::timestamptz[], %b::timestamptz[], %b::text[], %b::text[], %b::text[]
) AS b (
    subject, currency, workspace_id, connection_id, customer_id, mrr, basis, unvalued, first_at, since, prices,
    quantities, amounts
)
ON CONFLICT (subject, currency) DO UPDATE SET
    mrr = excluded.mrr,
    basis = excluded.basis,
    unvalued = excluded.unvalued,
    first_at = excluded.first_at,
    since = excluded.since,
    prices = excluded.prices,
    quantities = excluded.quantities,
    amounts = excluded.amounts

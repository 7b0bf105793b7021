-- A company with %(customers)s customers and three years of movements, seven to fourteen each and spread evenly, written straight into the tables: a
-- twentieth of the rows was taken back by a correction, and the first quarter was read at the connection.
CREATE TEMPORARY TABLE lives AS
SELECT c AS number, 'cus_' || lpad(c::text, 10, '0') AS customer_id,
       CASE WHEN c %% 10 < 7 THEN 'usd' WHEN c %% 10 < 9 THEN 'eur' ELSE 'gbp' END AS currency
FROM generate_series(1, %(customers)s) AS c;

CREATE TEMPORARY TABLE told AS
WITH steps AS (
    SELECT l.*, k, now() - interval '3 years' * (1 - (k + random(0.0, 0.99)) / 14) AS effective_at,
           CASE WHEN k > l.number %% 7 AND random() < 0.08 THEN 0 ELSE 500 * random(1, 40) END AS mrr
    FROM lives l, generate_series(l.number %% 7, 13) AS k
), changes AS (
    SELECT *, coalesce(lag(mrr) OVER (PARTITION BY number ORDER BY k), 0) AS before FROM steps
)
SELECT gen_random_uuid() AS movement_id, number, customer_id, currency, k,
       CASE WHEN k = number %% 7 THEN 'new' WHEN before = 0 THEN 'reactivation' WHEN mrr = 0 THEN 'churn'
            WHEN mrr > before THEN 'expansion' ELSE 'contraction' END AS kind,
       effective_at, greatest(effective_at, now() - interval '3 years' * 0.75) AS observed_at, before, mrr
FROM changes
WHERE mrr <> before;

CREATE TEMPORARY TABLE again AS
SELECT gen_random_uuid() AS movement_id, number, customer_id, currency, k, kind, effective_at, observed_at, before, mrr
FROM told WHERE random() < 0.05;

ALTER TABLE mrr.movements DISABLE TRIGGER keep_added;
INSERT INTO mrr.movements (
    movement_id, workspace_id, connection_id, customer_id, currency, kind, effective_at, observed_at, mrr_before, mrr_after,
    corrects, subscriptions, basis, reconstructed, policy_version, detail, source_topic, source_partition, source_offset
)
SELECT movement_id, %(workspace)s, %(connection)s, customer_id, currency, kind, effective_at, observed_at, before, mrr, corrects,
       ARRAY['sub_' || number], 'subscription', observed_at > effective_at, 'stripe/1',
       jsonb_build_object('items', jsonb_build_array(jsonb_build_object(
           'subscription', 'sub_' || number, 'item', 'si_' || number, 'price', 'price_' || number %% 40, 'quantity', 1,
           'exact', mrr::text, 'mrr', mrr, 'basis', 'subscription', 'steps', jsonb_build_array(mrr || ' × 1', '× 1 (every month)')
       ))),
       'stripe.subscription.raw.v1', number %% 8, number * 14 + k
FROM (
    SELECT movement_id, number, customer_id, currency, k, kind, effective_at, observed_at, before, mrr, NULL::uuid AS corrects
    FROM told
    UNION ALL
    SELECT movement_id, number, customer_id, currency, k, kind, effective_at, observed_at, before, mrr, NULL FROM again
    UNION ALL
    SELECT gen_random_uuid(), number, customer_id, currency, k, 'correction', effective_at,
           observed_at + interval '3 days', mrr, before, movement_id FROM again
) AS rows
ORDER BY observed_at;
ALTER TABLE mrr.movements ENABLE TRIGGER keep_added;
SELECT set_config('search_path', 'mrr', false), mrr.keep_zones(%(workspace)s);

INSERT INTO mrr.balances (
    subject, currency, workspace_id, connection_id, customer_id, mrr, basis, unvalued, first_at, since, prices, quantities, amounts
)
SELECT %(connection)s || '/' || customer_id, currency, %(workspace)s, %(connection)s, customer_id, mrr, 'subscription', 0,
       first_at, effective_at, CASE WHEN mrr > 0 THEN ARRAY['price_' || number %% 40] ELSE '{}' END,
       CASE WHEN mrr > 0 THEN ARRAY[1] ELSE '{}' END, CASE WHEN mrr > 0 THEN ARRAY[mrr] ELSE '{}' END
FROM (
    SELECT *, min(effective_at) OVER (PARTITION BY number) AS first_at,
           row_number() OVER (PARTITION BY number ORDER BY k DESC) AS place
    FROM told
) AS t
WHERE place = 1;

INSERT INTO mrr.plans (connection_id, price_id, bucket, workspace_id, name, from_invoice, version)
SELECT %(connection)s, 'price_' || n, 0, %(workspace)s, 'Plan ' || n / 2, true, 1 FROM generate_series(0, 39) AS n;

INSERT INTO mrr_io.rates
SELECT %(workspace)s, 'usd', currency, day::date, rate, rate, now()
FROM (VALUES ('eur', 1.1), ('gbp', 1.3)) AS r (currency, rate), generate_series(now() - interval '3 years', now(), interval '1 month') AS day;

INSERT INTO mirror.customers (
    workspace_id, connection_id, customer_id, name, email, created_at, country, livemode, deleted, version, observed_at,
    source_topic, source_partition, source_offset
)
SELECT %(workspace)s, %(connection)s, customer_id, 'Company ' || number, number || '@customer.example', now() - interval '3 years',
       (ARRAY['US', 'DE', 'GB', 'FR', 'JP'])[1 + number %% 5], true, false, 1, now(), 'stripe.customer.raw.v1', number %% 8, number
FROM lives;

INSERT INTO mirror.subscriptions (
    workspace_id, connection_id, subscription_id, customer_id, status, currency, created_at, trial_end, price_nickname, quantity,
    unit_amount, livemode, deleted, version, observed_at, source_topic, source_partition, source_offset
)
SELECT %(workspace)s, %(connection)s, 'sub_' || number, customer_id, CASE WHEN number %% 100 = 0 THEN 'trialing' ELSE 'active' END,
       currency, now() - interval '3 years', now() + interval '1 day' * (number %% 14), 'Plan ' || number %% 20, 1, 1000, true, false, 1, now(),
       'stripe.subscription.raw.v1', number %% 8, number
FROM lives;

INSERT INTO mirror.invoices (
    workspace_id, connection_id, invoice_id, customer_id, status, attempted, currency, created_at, livemode, deleted, version,
    observed_at, source_topic, source_partition, source_offset
)
SELECT %(workspace)s, %(connection)s, 'in_' || number || '_' || n, customer_id, CASE WHEN n = 3 AND number %% 50 = 0 THEN 'open' ELSE 'paid' END,
       true, currency, now() - interval '1 month' * (4 - n), true, false, 1, now(), 'stripe.invoice.raw.v1', number %% 8, number * 4 + n
FROM lives, generate_series(1, 3) AS n;

INSERT INTO detector.signals (
    signal_id, workspace_id, connection_id, livemode, subject, customer_id, code, state, severity, opened_at, sentence, detail,
    evidence, revision, source_topic, source_partition, source_offset
)
SELECT gen_random_uuid(), %(workspace)s, %(connection)s, true, %(connection)s || '/' || customer_id, customer_id,
       CASE WHEN number %% 2 = 0 THEN 'payment_failed' ELSE 'subscription_lapsed' END, 'open', 'high', now(), 'A signal.', '{}',
       '[]', 1, 'stripe.invoice.raw.v1', number %% 8, number
FROM lives
WHERE number %% 20 = 0;

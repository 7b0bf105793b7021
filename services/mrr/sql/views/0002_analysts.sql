-- What analysts ask of the ledger, beside its rows: days, months, cohorts, both times, another currency. Made anew over the
-- new tables after a swap. Functions name views alone, so that whoever calls them needs no more than the views.

CREATE OR REPLACE VIEW analytics.workspace_calendar WITH (security_invoker = true) AS
WITH present AS (
    SELECT coalesce(max(now() + ahead), now()) AS instant FROM clocks
), zoned AS (
    SELECT w.workspace_id, coalesce((
        SELECT d.detail ->> 'timezone' FROM decisions d
        WHERE d.workspace_id = w.workspace_id AND d.kind = 'workspace.settings' AND d.detail ->> 'timezone' IS NOT NULL
          AND d.effective_at <= p.instant
        ORDER BY d.effective_at DESC, d.decision_id DESC LIMIT 1
    ), 'UTC') AS timezone, p.instant
    FROM (SELECT DISTINCT workspace_id FROM zones) AS w, present p
)
SELECT workspace_id, timezone, (instant AT TIME ZONE timezone)::date AS today, instant
FROM zoned;

COMMENT ON VIEW analytics.workspace_calendar IS 'How each workspace''s days are cut: one row per workspace that has a ledger.';
COMMENT ON COLUMN analytics.workspace_calendar.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.workspace_calendar.timezone IS 'The time zone of its days, as it is set now; UTC where none is.';
COMMENT ON COLUMN analytics.workspace_calendar.today IS 'Which day it is there, by DropFix''s clock.';
COMMENT ON COLUMN analytics.workspace_calendar.instant IS 'What time it is, by DropFix''s clock.';

CREATE OR REPLACE VIEW analytics.mrr_movements WITH (security_invoker = true) AS
SELECT m.workspace_id, m.connection_id, m.customer_id, m.currency, m.kind, m.effective_at, m.observed_at,
       m.mrr_before, m.mrr_after, m.mrr_after - m.mrr_before AS mrr_change, m.reconstructed, m.basis,
       (SELECT c.movement_id FROM movements c WHERE c.corrects = m.movement_id) AS corrected_by, m.corrects,
       m.corrects IS NULL AND NOT EXISTS (SELECT FROM movements c WHERE c.corrects = m.movement_id) AS stands,
       m.subscriptions, m.detail, m.policy_version, m.movement_id, m.source_topic, m.source_partition, m.source_offset
FROM movements m;

COMMENT ON VIEW analytics.mrr_movements IS 'The MRR ledger: one row per change of one customer''s MRR in one currency. Rows are never changed: where the past turned out to be another, a row of kind correction takes the old one back and a new row follows. For the ledger as it is known now, take the rows that stand; for what was known at an instant, all those with observed_at up to it: the sum of their mrr_change is the MRR that was known.';

COMMENT ON COLUMN analytics.mrr_movements.connection_id IS 'The Stripe account in one mode that it comes from; the workspace itself where identify() tells the MRR.';
COMMENT ON COLUMN analytics.mrr_movements.customer_id IS 'Stripe''s id of the customer; the user''s where identify() tells the MRR.';
COMMENT ON COLUMN analytics.mrr_by_customer.connection_id IS 'The Stripe account in one mode that it comes from; the workspace itself where identify() tells the MRR.';
COMMENT ON COLUMN analytics.mrr_by_customer.customer_id IS 'Stripe''s id of the customer; the user''s where identify() tells the MRR.';

CREATE OR REPLACE VIEW analytics.mrr_by_plan WITH (security_invoker = true) AS
SELECT b.workspace_id, b.connection_id, b.currency, coalesce(h.price_id, '') AS price_id,
       coalesce(p.name, h.price_id, '') AS plan,
       CASE WHEN p.name IS NULL THEN 'price' WHEN p.from_invoice THEN 'invoice' ELSE 'nickname' END AS named_by,
       sum(h.mrr)::bigint AS mrr, count(*) AS customers, sum(h.quantity)::bigint AS quantity
FROM balances b
CROSS JOIN LATERAL unnest(b.prices, b.quantities, b.amounts) AS h (price_id, quantity, mrr)
LEFT JOIN (
    SELECT DISTINCT ON (connection_id, price_id) connection_id, price_id, name, from_invoice
    FROM plans
    ORDER BY connection_id, price_id, from_invoice DESC, version DESC, name DESC
) AS p ON p.connection_id = b.connection_id AND p.price_id = h.price_id
WHERE b.mrr > 0
GROUP BY b.workspace_id, b.connection_id, b.currency, h.price_id, p.name, p.from_invoice;

COMMENT ON VIEW analytics.mrr_by_plan IS 'MRR by price as it stands, with what the plan is called; the prices of a currency add up to its MRR. The rows behind it are those of mrr_movements that stand: detail has the items.';
COMMENT ON COLUMN analytics.mrr_by_plan.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.mrr_by_plan.connection_id IS 'The Stripe account in one mode that it comes from; the workspace itself where identify() tells the MRR.';
COMMENT ON COLUMN analytics.mrr_by_plan.currency IS 'ISO 4217 code in lower case. Amounts of different currencies are never added.';
COMMENT ON COLUMN analytics.mrr_by_plan.price_id IS 'Stripe''s id of the price; empty where identify() tells the MRR.';
COMMENT ON COLUMN analytics.mrr_by_plan.plan IS 'What the plan is called. Several prices (by month, by year, by currency) may be one plan.';
COMMENT ON COLUMN analytics.mrr_by_plan.named_by IS 'What calls it so: invoice (the latest line''s description), nickname (the price''s), or price (nothing: its id).';
COMMENT ON COLUMN analytics.mrr_by_plan.mrr IS 'MRR, minor units a month: the items'' shares, after discounts.';
COMMENT ON COLUMN analytics.mrr_by_plan.customers IS 'Customers that pay for it.';
COMMENT ON COLUMN analytics.mrr_by_plan.quantity IS 'The quantity of their items together: seats, where it is sold by the seat.';

CREATE OR REPLACE VIEW analytics.mrr_daily_changes WITH (security_invoker = true) AS
SELECT d.workspace_id, d.connection_id, d.currency, d.day, d.observed_day, sum(d.new)::bigint AS new,
       sum(d.reactivation)::bigint AS reactivation, sum(d.expansion)::bigint AS expansion,
       -sum(d.contraction)::bigint AS contraction, -sum(d.churn)::bigint AS churn, sum(d.policy)::bigint AS policy,
       sum(d.source)::bigint AS source, sum(d.correction)::bigint AS correction,
       sum(d.new + d.reactivation + d.expansion + d.contraction + d.churn + d.policy + d.source + d.correction)::bigint
           AS mrr_change,
       sum(d.customers)::bigint AS customers_change
FROM days d
JOIN analytics.workspace_calendar c ON c.workspace_id = d.workspace_id AND c.timezone = d.zone
GROUP BY d.workspace_id, d.connection_id, d.currency, d.day, d.observed_day;

COMMENT ON VIEW analytics.mrr_daily_changes IS 'What the movements of a day add up to, by the day on which they became known: what mrr_daily is summed from, with both times. Days on which nothing took effect have no row. The rows behind it are those of mrr_movements, corrections included.';
COMMENT ON COLUMN analytics.mrr_daily_changes.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.mrr_daily_changes.connection_id IS 'The Stripe account in one mode that it comes from; the workspace itself where identify() tells the MRR.';
COMMENT ON COLUMN analytics.mrr_daily_changes.currency IS 'ISO 4217 code in lower case. Amounts of different currencies are never added.';
COMMENT ON COLUMN analytics.mrr_daily_changes.day IS 'The day of the effect, in the workspace''s time zone.';
COMMENT ON COLUMN analytics.mrr_daily_changes.observed_day IS 'The day on which it became known; a correction of what was known before stands under the day of the correction.';
COMMENT ON COLUMN analytics.mrr_daily_changes.new IS 'Added by customers with MRR for the first time, minor units a month.';
COMMENT ON COLUMN analytics.mrr_daily_changes.reactivation IS 'Added by customers that had MRR before and had none.';
COMMENT ON COLUMN analytics.mrr_daily_changes.expansion IS 'Added by customers that had MRR.';
COMMENT ON COLUMN analytics.mrr_daily_changes.contraction IS 'Lost on customers that still have MRR; positive.';
COMMENT ON COLUMN analytics.mrr_daily_changes.churn IS 'Lost on customers that have no MRR any more; positive.';
COMMENT ON COLUMN analytics.mrr_daily_changes.policy IS 'Added (or lost, negative) because another policy counts.';
COMMENT ON COLUMN analytics.mrr_daily_changes.source IS 'Added (or lost, negative) because the number comes from elsewhere.';
COMMENT ON COLUMN analytics.mrr_daily_changes.correction IS 'Added (or lost, negative) by corrections that take no single row back.';
COMMENT ON COLUMN analytics.mrr_daily_changes.mrr_change IS 'All of it together: MRR at the end of the day less MRR at its start.';
COMMENT ON COLUMN analytics.mrr_daily_changes.customers_change IS 'Customers that began to have MRR less those that ceased to.';

CREATE OR REPLACE VIEW analytics.mrr_daily WITH (security_invoker = true) AS
WITH changes AS (
    SELECT * FROM analytics.mrr_daily_changes
), spans AS (
    SELECT d.workspace_id, d.connection_id, d.currency, min(d.day) AS first, greatest(max(d.day), max(c.today)) AS last
    FROM changes d
    JOIN analytics.workspace_calendar c USING (workspace_id)
    GROUP BY d.workspace_id, d.connection_id, d.currency
), filled AS (  -- with an empty row for every day, which adds nothing; cheaper than a join
    SELECT workspace_id, connection_id, currency, day, observed_day, new, reactivation, expansion, contraction, churn, policy,
           source, correction, mrr_change, customers_change
    FROM changes
    UNION ALL
    SELECT s.workspace_id, s.connection_id, s.currency, d.day::date, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
    FROM spans s, generate_series(s.first::timestamp, s.last::timestamp, interval '1 day') AS d (day)
), daily AS (
    SELECT workspace_id, connection_id, currency, day, min(observed_day) AS observed_day, sum(new) AS new,
           sum(reactivation) AS reactivation, sum(expansion) AS expansion, sum(contraction) AS contraction,
           sum(churn) AS churn, sum(policy) AS policy, sum(source) AS source, sum(correction) AS correction,
           sum(mrr_change) AS mrr_change, sum(customers_change) AS customers
    FROM filled
    GROUP BY workspace_id, connection_id, currency, day
), summed AS (
    SELECT *, sum(mrr_change) OVER so_far AS mrr_end, sum(customers) OVER so_far AS customers_end,
           min(observed_day) OVER (PARTITION BY workspace_id, connection_id) AS connected
    FROM daily
    WINDOW so_far AS (PARTITION BY workspace_id, connection_id, currency ORDER BY day)
)
SELECT workspace_id, connection_id, currency, day, (mrr_end - mrr_change)::bigint AS mrr_start, new::bigint AS new,
       reactivation::bigint AS reactivation, expansion::bigint AS expansion, contraction::bigint AS contraction,
       churn::bigint AS churn, policy::bigint AS policy, source::bigint AS source, correction::bigint AS correction,
       mrr_end::bigint AS mrr_end, customers_end::bigint AS customers, day < connected AS reconstructed
FROM summed;

COMMENT ON VIEW analytics.mrr_daily IS 'MRR of every day and currency, none left out and none in the future, as it is known now: mrr_start + new + reactivation + expansion - contraction - churn + policy + source + correction = mrr_end, to the unit. The rows behind a day are those of mrr_movements that stand and took effect in it.';
COMMENT ON COLUMN analytics.mrr_daily.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.mrr_daily.connection_id IS 'The Stripe account in one mode that it comes from; the workspace itself where identify() tells the MRR.';
COMMENT ON COLUMN analytics.mrr_daily.currency IS 'ISO 4217 code in lower case. Amounts of different currencies are never added.';
COMMENT ON COLUMN analytics.mrr_daily.day IS 'The day, in the workspace''s time zone as it is set now; UTC where none is.';
COMMENT ON COLUMN analytics.mrr_daily.mrr_start IS 'MRR when the day began, minor units a month.';
COMMENT ON COLUMN analytics.mrr_daily.new IS 'Added by customers with MRR for the first time.';
COMMENT ON COLUMN analytics.mrr_daily.reactivation IS 'Added by customers that had MRR before and had none.';
COMMENT ON COLUMN analytics.mrr_daily.expansion IS 'Added by customers that had MRR.';
COMMENT ON COLUMN analytics.mrr_daily.contraction IS 'Lost on customers that still have MRR; positive.';
COMMENT ON COLUMN analytics.mrr_daily.churn IS 'Lost on customers that have no MRR any more; positive.';
COMMENT ON COLUMN analytics.mrr_daily.policy IS 'Added (or lost, negative) because another policy counts from this day.';
COMMENT ON COLUMN analytics.mrr_daily.source IS 'Added (or lost, negative) because the number comes from elsewhere now.';
COMMENT ON COLUMN analytics.mrr_daily.correction IS 'Added (or lost, negative) by corrections that take no single row back, as those of a rebuild.';
COMMENT ON COLUMN analytics.mrr_daily.mrr_end IS 'MRR when the day ended (on the last day: so far), minor units a month.';
COMMENT ON COLUMN analytics.mrr_daily.customers IS 'Customers with MRR in this currency when the day ended.';
COMMENT ON COLUMN analytics.mrr_daily.reconstructed IS 'Whether the day lies before the connection: derived from dates and invoices, not observed.';

CREATE OR REPLACE FUNCTION analytics.mrr_as_of(on_day date)
RETURNS TABLE (workspace_id text, connection_id text, currency text, mrr bigint, customers bigint, reconstructed boolean)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT c.workspace_id, c.connection_id, c.currency, coalesce(sum(c.mrr_change) FILTER (WHERE c.day <= on_day), 0)::bigint,
           coalesce(sum(c.customers_change) FILTER (WHERE c.day <= on_day), 0)::bigint,
           on_day < min(min(c.observed_day)) OVER (PARTITION BY c.workspace_id, c.connection_id)
    FROM analytics.mrr_daily_changes c
    GROUP BY c.workspace_id, c.connection_id, c.currency
$$;

COMMENT ON FUNCTION analytics.mrr_as_of IS 'MRR at the end of a day (in the workspace''s time zone; today: so far) as it is known now, a row per connection and currency. reconstructed: the day lies before the connection.';

CREATE OR REPLACE FUNCTION analytics.mrr_as_known(on_day date, at timestamptz)
RETURNS TABLE (workspace_id text, connection_id text, currency text, mrr bigint, customers bigint, reconstructed boolean)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
WITH calendar AS (
        SELECT c.workspace_id, (at AT TIME ZONE c.timezone)::date AS last,
               (at AT TIME ZONE c.timezone)::date::timestamp AT TIME ZONE c.timezone AS since,
               (on_day + 1)::timestamp AT TIME ZONE c.timezone AS until
        FROM analytics.workspace_calendar c
    ), known AS (
        SELECT d.workspace_id, d.connection_id, d.currency, d.observed_day, d.mrr_change, d.customers_change
        FROM analytics.mrr_daily_changes d
        JOIN calendar c ON c.workspace_id = d.workspace_id AND d.observed_day < c.last
        WHERE d.day <= on_day
        UNION ALL
        SELECT m.workspace_id, m.connection_id, m.currency, c.last, m.mrr_change,
               (m.mrr_after > 0)::integer - (m.mrr_before > 0)::integer
        FROM calendar c
        JOIN analytics.mrr_movements m ON m.workspace_id = c.workspace_id AND m.observed_at >= c.since
        WHERE m.observed_at BETWEEN at - interval '2 days' AND at AND m.effective_at < c.until
    )
    SELECT k.workspace_id, k.connection_id, k.currency, sum(k.mrr_change)::bigint, sum(k.customers_change)::bigint,
           on_day < min(min(k.observed_day)) OVER (PARTITION BY k.workspace_id, k.connection_id)
    FROM known k
    GROUP BY k.workspace_id, k.connection_id, k.currency
$$;

COMMENT ON FUNCTION analytics.mrr_as_known IS 'MRR at the end of a day as it was known at an instant: what was reported of that day then can be asked again after any correction, policy or rebuild. A row per connection and currency that was known; reconstructed: the day lies before the connection.';

CREATE OR REPLACE FUNCTION analytics.mrr_customers_as_of(on_day date)
RETURNS TABLE (workspace_id text, connection_id text, customer_id text, currency text, mrr bigint)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT b.workspace_id, b.connection_id, b.customer_id, b.currency, b.mrr - coalesce(l.mrr_change, 0)
    FROM analytics.mrr_by_customer b
    LEFT JOIN (
        SELECT m.connection_id, m.customer_id, m.currency, sum(m.mrr_change)::bigint AS mrr_change
        FROM analytics.workspace_calendar c
        JOIN analytics.mrr_movements m ON m.workspace_id = c.workspace_id
         AND m.effective_at >= (on_day + 1)::timestamp AT TIME ZONE c.timezone
        WHERE m.effective_at >= on_day::timestamptz - interval '1 day'
        GROUP BY m.connection_id, m.customer_id, m.currency
    ) AS l USING (connection_id, customer_id, currency)
    WHERE b.mrr <> coalesce(l.mrr_change, 0)
$$;

COMMENT ON FUNCTION analytics.mrr_customers_as_of IS 'Every customer''s MRR at the end of a day as it is known now; those without any are left out. Goes back from what stands, so the later the day, the sooner the answer.';

CREATE OR REPLACE FUNCTION analytics.mrr_customers_as_known(on_day date, at timestamptz)
RETURNS TABLE (workspace_id text, connection_id text, customer_id text, currency text, mrr bigint)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT m.workspace_id, m.connection_id, m.customer_id, m.currency, sum(m.mrr_change)::bigint
    FROM analytics.workspace_calendar c
    JOIN analytics.mrr_movements m ON m.workspace_id = c.workspace_id
     AND m.effective_at < (on_day + 1)::timestamp AT TIME ZONE c.timezone
    WHERE m.observed_at <= at
    GROUP BY m.workspace_id, m.connection_id, m.customer_id, m.currency
    HAVING sum(m.mrr_change) <> 0
$$;

COMMENT ON FUNCTION analytics.mrr_customers_as_known IS 'Every customer''s MRR at the end of a day as it was known at an instant; those without any are left out. For one customer, name it in WHERE.';

CREATE OR REPLACE VIEW analytics.mrr_monthly WITH (security_invoker = true) AS
WITH changes AS (
    SELECT workspace_id, connection_id, currency, date_trunc('month', day)::date AS month, sum(new) AS new,
           sum(reactivation) AS reactivation, sum(expansion) AS expansion, sum(contraction) AS contraction,
           sum(churn) AS churn, sum(policy) AS policy, sum(source) AS source, sum(correction) AS correction,
           sum(mrr_change) AS mrr_change, sum(customers_change) AS customers
    FROM analytics.mrr_daily_changes
    GROUP BY 1, 2, 3, 4
), kept AS (
    SELECT m.workspace_id, m.connection_id, m.currency, m.month, sum(m.expansion) AS expansion,
           sum(m.contraction) AS contraction, sum(m.churn) AS churn, sum(m.churned) AS churned, sum(m.lost) AS lost
    FROM months m
    JOIN analytics.workspace_calendar c ON c.workspace_id = m.workspace_id AND c.timezone = m.zone
    GROUP BY 1, 2, 3, 4
), spans AS (
    SELECT d.workspace_id, d.connection_id, d.currency, min(d.month) AS first, greatest(max(d.month), max(c.today)) AS last
    FROM changes d
    JOIN analytics.workspace_calendar c USING (workspace_id)
    GROUP BY d.workspace_id, d.connection_id, d.currency
), filled AS (
    SELECT s.workspace_id, s.connection_id, s.currency, m.month::date AS month
    FROM spans s, generate_series(s.first::timestamp, s.last::timestamp, interval '1 month') AS m (month)
), summed AS (
    SELECT f.*, coalesce(d.new, 0)::bigint AS new, coalesce(d.reactivation, 0)::bigint AS reactivation,
           coalesce(d.expansion, 0)::bigint AS expansion, coalesce(d.contraction, 0)::bigint AS contraction,
           coalesce(d.churn, 0)::bigint AS churn, coalesce(d.policy, 0)::bigint AS policy,
           coalesce(d.source, 0)::bigint AS source, coalesce(d.correction, 0)::bigint AS correction,
           (sum(coalesce(d.mrr_change, 0)) OVER so_far - coalesce(d.mrr_change, 0))::bigint AS mrr_start,
           (sum(coalesce(d.mrr_change, 0)) OVER so_far)::bigint AS mrr_end,
           (sum(coalesce(d.customers, 0)) OVER so_far - coalesce(d.customers, 0))::bigint AS customers_start,
           (sum(coalesce(d.customers, 0)) OVER so_far)::bigint AS customers,
           coalesce(k.expansion, 0)::bigint AS retained_expansion,
           coalesce(k.contraction, 0)::bigint AS retained_contraction, coalesce(k.churn, 0)::bigint AS retained_churn,
           coalesce(k.churned, 0)::bigint AS churned_customers, coalesce(k.lost, 0)::bigint AS lost
    FROM filled f
    LEFT JOIN changes d USING (workspace_id, connection_id, currency, month)
    LEFT JOIN kept k USING (workspace_id, connection_id, currency, month)
    WINDOW so_far AS (PARTITION BY f.workspace_id, f.connection_id, f.currency ORDER BY f.month)
)
SELECT workspace_id, connection_id, currency, month, mrr_start, new, reactivation, expansion, contraction, churn, policy,
       source, correction, mrr_end, customers_start, customers, churned_customers, churn + contraction AS churned_revenue,
       12 * mrr_end AS arr, round(mrr_end::numeric / nullif(customers, 0), 2) AS arpa,
       round((mrr_start + retained_expansion - retained_contraction - retained_churn)::numeric / nullif(mrr_start, 0), 6)
           AS nrr,
       round((mrr_start - lost)::numeric / nullif(mrr_start, 0), 6) AS grr,
       round((new + reactivation + expansion)::numeric / nullif(contraction + churn, 0), 6) AS quick_ratio,
       round(churned_customers::numeric / nullif(customers_start, 0), 6) AS customer_churn_rate,
       round((churn + contraction)::numeric / nullif(mrr_start, 0), 6) AS revenue_churn_rate
FROM summed;

COMMENT ON VIEW analytics.mrr_monthly IS 'MRR, its movements and the figures derived from them, of every month and currency from the first with MRR to the present one (so far). NRR and GRR are over the customers that had MRR when the month began; what a customer does after its MRR ended in the month, coming back included, is not counted. The rows behind a month are those of mrr_movements that stand and took effect in it.';
COMMENT ON COLUMN analytics.mrr_monthly.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.mrr_monthly.connection_id IS 'The Stripe account in one mode that it comes from; the workspace itself where identify() tells the MRR.';
COMMENT ON COLUMN analytics.mrr_monthly.currency IS 'ISO 4217 code in lower case. Amounts of different currencies are never added.';
COMMENT ON COLUMN analytics.mrr_monthly.month IS 'The first day of the month, in the workspace''s time zone.';
COMMENT ON COLUMN analytics.mrr_monthly.mrr_start IS 'MRR when the month began, minor units a month.';
COMMENT ON COLUMN analytics.mrr_monthly.new IS 'Added by customers with MRR for the first time.';
COMMENT ON COLUMN analytics.mrr_monthly.reactivation IS 'Added by customers that had MRR before and had none.';
COMMENT ON COLUMN analytics.mrr_monthly.expansion IS 'Added by customers that had MRR.';
COMMENT ON COLUMN analytics.mrr_monthly.contraction IS 'Lost on customers that still have MRR; positive.';
COMMENT ON COLUMN analytics.mrr_monthly.churn IS 'Lost on customers that have no MRR any more; positive.';
COMMENT ON COLUMN analytics.mrr_monthly.policy IS 'Added (or lost, negative) because another policy counts from then.';
COMMENT ON COLUMN analytics.mrr_monthly.source IS 'Added (or lost, negative) because the number comes from elsewhere now.';
COMMENT ON COLUMN analytics.mrr_monthly.correction IS 'Added (or lost, negative) by corrections that take no single row back.';
COMMENT ON COLUMN analytics.mrr_monthly.mrr_end IS 'MRR when the month ended (of the present one: so far).';
COMMENT ON COLUMN analytics.mrr_monthly.customers_start IS 'Customers with MRR in this currency when it began.';
COMMENT ON COLUMN analytics.mrr_monthly.customers IS 'Customers with MRR in this currency when it ended.';
COMMENT ON COLUMN analytics.mrr_monthly.churned_customers IS 'Of those at its start, how many churned in it, whether they came back or not.';
COMMENT ON COLUMN analytics.mrr_monthly.churned_revenue IS 'churn + contraction: churned revenue as Stripe means it.';
COMMENT ON COLUMN analytics.mrr_monthly.arr IS 'Annual recurring revenue: 12 times mrr_end.';
COMMENT ON COLUMN analytics.mrr_monthly.arpa IS 'Average MRR per customer at its end, minor units; null without customers.';
COMMENT ON COLUMN analytics.mrr_monthly.nrr IS 'Net revenue retention: (mrr_start + expansion - contraction - churn) / mrr_start of the customers at its start, 1 = 100 %; null where mrr_start is 0.';
COMMENT ON COLUMN analytics.mrr_monthly.grr IS 'Gross revenue retention: the same without expansion, of each customer losing at most what it had at the start; between 0 and 1; null where mrr_start is 0.';
COMMENT ON COLUMN analytics.mrr_monthly.quick_ratio IS '(new + reactivation + expansion) / (contraction + churn); null where nothing was lost.';
COMMENT ON COLUMN analytics.mrr_monthly.customer_churn_rate IS 'churned_customers / customers_start; null where there were none.';
COMMENT ON COLUMN analytics.mrr_monthly.revenue_churn_rate IS 'churned_revenue / mrr_start; null where mrr_start is 0.';

CREATE OR REPLACE FUNCTION analytics.mrr_retention(from_day date, until_day date)
RETURNS TABLE (workspace_id text, connection_id text, currency text, mrr_start bigint, customers_start bigint, expansion bigint, contraction bigint, churn bigint, churned_customers bigint, nrr numeric, grr numeric)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
WITH bounds AS (
        SELECT c.workspace_id, from_day::timestamp AT TIME ZONE c.timezone AS since,
               (until_day + 1)::timestamp AT TIME ZONE c.timezone AS until
        FROM analytics.workspace_calendar c
    ), moved AS (
        SELECT m.workspace_id, m.connection_id, m.currency, m.customer_id, m.kind, m.mrr_before, m.mrr_after, m.effective_at,
               bool_or(m.mrr_before = 0) OVER so_far AS is_absent, first_value(m.mrr_before) OVER so_far AS had
        FROM bounds b
        JOIN analytics.mrr_movements m ON m.workspace_id = b.workspace_id AND m.effective_at >= b.since
         AND m.effective_at < b.until
        CROSS JOIN LATERAL (
            SELECT CASE m.kind WHEN 'source' THEN CASE m.mrr_after WHEN 0 THEN 0 ELSE 3 END WHEN 'policy' THEN 1 ELSE 2 END
        ) AS r (rank)  -- in which order rows of one instant follow upon one another
        WHERE m.stands AND m.effective_at BETWEEN from_day::timestamptz - interval '1 day'
          AND until_day::timestamptz + interval '2 days'
        WINDOW so_far AS (
            PARTITION BY m.connection_id, m.customer_id, m.currency ORDER BY m.effective_at, r.rank
            ROWS UNBOUNDED PRECEDING
        )
    ), by_customer AS (
        SELECT m.workspace_id, m.connection_id, m.currency,
               coalesce(sum(m.mrr_after - m.mrr_before) FILTER (WHERE m.kind = 'expansion'), 0) AS expansion,
               coalesce(sum(m.mrr_before - m.mrr_after) FILTER (WHERE m.kind = 'contraction'), 0) AS contraction,
               coalesce(sum(m.mrr_before - m.mrr_after) FILTER (WHERE m.kind = 'churn'), 0) AS churn,
               count(*) FILTER (WHERE m.kind = 'churn') AS churned,
               max(m.had) AS had
        FROM moved m
        WHERE NOT m.is_absent
        GROUP BY m.workspace_id, m.connection_id, m.currency, m.customer_id
    ), summed AS (
        SELECT c.workspace_id, c.connection_id, c.currency, sum(c.expansion)::bigint AS expansion,
               sum(c.contraction)::bigint AS contraction, sum(c.churn)::bigint AS churn, sum(c.churned)::bigint AS churned,
               sum(least(c.had, c.contraction + c.churn))::bigint AS lost
        FROM by_customer c
        GROUP BY c.workspace_id, c.connection_id, c.currency
    )
    SELECT a.workspace_id, a.connection_id, a.currency, a.mrr, a.customers, coalesce(s.expansion, 0),
           coalesce(s.contraction, 0), coalesce(s.churn, 0), coalesce(s.churned, 0),
           round((a.mrr + coalesce(s.expansion - s.contraction - s.churn, 0))::numeric / nullif(a.mrr, 0), 6),
           round((a.mrr - coalesce(s.lost, 0))::numeric / nullif(a.mrr, 0), 6)
    FROM analytics.mrr_as_of(from_day - 1) a
    LEFT JOIN summed s USING (workspace_id, connection_id, currency)
$$;

COMMENT ON FUNCTION analytics.mrr_retention IS 'NRR and GRR of any window of days, both included, by the rules of mrr_monthly: over the customers that had MRR when the window began. Reads the window''s movements, so a window of a month is answered at once and one of years takes longer.';

CREATE OR REPLACE VIEW analytics.retention_cohorts WITH (security_invoker = true) AS
WITH cells AS (
    SELECT m.workspace_id, m.connection_id, m.currency, m.cohort, m.month, sum(m.mrr) AS mrr, sum(m.customers) AS customers,
           sum(m.joined) AS joined, sum(m.began) AS began
    FROM months m
    JOIN analytics.workspace_calendar c ON c.workspace_id = m.workspace_id AND c.timezone = m.zone
    GROUP BY 1, 2, 3, 4, 5
), cohorts AS (
    SELECT d.workspace_id, d.connection_id, d.currency, d.cohort, sum(d.joined) AS joined, sum(d.began) AS began,
           greatest(max(d.month), max(c.today)) AS last
    FROM cells d
    JOIN analytics.workspace_calendar c USING (workspace_id)
    GROUP BY d.workspace_id, d.connection_id, d.currency, d.cohort
    HAVING sum(d.joined) > 0
), filled AS (
    SELECT h.*, m.month::date AS month
    FROM cohorts h, generate_series(h.cohort::timestamp, h.last::timestamp, interval '1 month') AS m (month)
), summed AS (
    SELECT f.*, sum(coalesce(d.mrr, 0)) OVER so_far AS mrr, sum(coalesce(d.customers, 0)) OVER so_far AS customers
    FROM filled f
    LEFT JOIN cells d USING (workspace_id, connection_id, currency, cohort, month)
    WINDOW so_far AS (PARTITION BY f.workspace_id, f.connection_id, f.currency, f.cohort ORDER BY f.month)
)
SELECT workspace_id, connection_id, currency, cohort, month,
       (12 * (extract(year FROM month) - extract(year FROM cohort)) + extract(month FROM month) - extract(month FROM cohort))
           ::integer AS months_since,
       joined::bigint AS cohort_customers, began::bigint AS cohort_mrr, customers::bigint AS customers, mrr::bigint AS mrr,
       round(customers / joined, 6) AS customers_retained, round(mrr / nullif(began, 0), 6) AS mrr_retained
FROM summed;

COMMENT ON VIEW analytics.retention_cohorts IS 'Retention by the month of a customer''s first MRR: of each such cohort, how many customers and how much MRR were there at the end of each month since, none left out and none in the future. The rows behind it are those of mrr_movements that stand.';
COMMENT ON COLUMN analytics.retention_cohorts.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.retention_cohorts.connection_id IS 'The Stripe account in one mode that it comes from; the workspace itself where identify() tells the MRR.';
COMMENT ON COLUMN analytics.retention_cohorts.currency IS 'ISO 4217 code in lower case. Amounts of different currencies are never added.';
COMMENT ON COLUMN analytics.retention_cohorts.cohort IS 'The first day of the month in which its customers first had MRR in this currency.';
COMMENT ON COLUMN analytics.retention_cohorts.month IS 'The first day of the month that is looked at.';
COMMENT ON COLUMN analytics.retention_cohorts.months_since IS 'How many months after the cohort''s own: 0 is that month itself.';
COMMENT ON COLUMN analytics.retention_cohorts.cohort_customers IS 'Customers of the cohort.';
COMMENT ON COLUMN analytics.retention_cohorts.cohort_mrr IS 'The MRR that they began with, minor units a month.';
COMMENT ON COLUMN analytics.retention_cohorts.customers IS 'How many of them had MRR at the end of the month (of the present one: now).';
COMMENT ON COLUMN analytics.retention_cohorts.mrr IS 'The MRR that they had then, minor units a month.';
COMMENT ON COLUMN analytics.retention_cohorts.customers_retained IS 'customers / cohort_customers: 1 = 100 %.';
COMMENT ON COLUMN analytics.retention_cohorts.mrr_retained IS 'mrr / cohort_mrr: above 1 where those who stayed grew by more than those who left.';

CREATE OR REPLACE VIEW analytics.exchange_rates WITH (security_invoker = true) AS
SELECT workspace_id, reporting, currency, valid_from,
       (lead(valid_from) OVER (PARTITION BY workspace_id, reporting, currency ORDER BY valid_from) - 1) AS valid_until,
       rate, factor, loaded_at
FROM mrr_io.rates;

COMMENT ON VIEW analytics.exchange_rates IS 'Rates of exchange into a reporting currency, as the operator loaded them with `dropfix mrr rates load`.';
COMMENT ON COLUMN analytics.exchange_rates.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.exchange_rates.reporting IS 'The reporting currency.';
COMMENT ON COLUMN analytics.exchange_rates.currency IS 'ISO 4217 code in lower case: the currency that is converted.';
COMMENT ON COLUMN analytics.exchange_rates.valid_from IS 'From this day on.';
COMMENT ON COLUMN analytics.exchange_rates.valid_until IS 'Up to and with this day; null for the latest.';
COMMENT ON COLUMN analytics.exchange_rates.rate IS 'What one unit (a dollar, not a cent) of currency is worth in units of reporting.';
COMMENT ON COLUMN analytics.exchange_rates.factor IS 'What an amount in minor units is multiplied by.';
COMMENT ON COLUMN analytics.exchange_rates.loaded_at IS 'When it was loaded.';

CREATE OR REPLACE VIEW analytics.mrr_daily_reported WITH (security_invoker = true) AS
WITH rates AS (
    SELECT e.workspace_id, e.reporting, e.currency, e.valid_from, coalesce(e.valid_until, 'infinity') AS valid_until, e.factor,
           max(e.factor) FILTER (WHERE c.today BETWEEN e.valid_from AND coalesce(e.valid_until, 'infinity')) OVER (
               PARTITION BY e.workspace_id, e.reporting, e.currency
           ) AS latest  -- the one that is valid today: those of days to come are not known to hold
    FROM analytics.exchange_rates e
    JOIN analytics.workspace_calendar c USING (workspace_id)
    UNION ALL
    SELECT DISTINCT workspace_id, reporting, reporting, '-infinity'::date, 'infinity'::date, 1::numeric, 1::numeric
    FROM analytics.exchange_rates
), converted AS (
    SELECT d.*, r.reporting, max(n.latest) OVER (PARTITION BY d.workspace_id, r.reporting, d.currency) AS latest, n.factor
    FROM analytics.mrr_daily d
    JOIN (SELECT DISTINCT workspace_id, reporting FROM analytics.exchange_rates) AS r USING (workspace_id)
    LEFT JOIN rates n ON n.workspace_id = d.workspace_id AND n.reporting = r.reporting AND n.currency = d.currency
     AND d.day BETWEEN n.valid_from AND n.valid_until
)
SELECT workspace_id, connection_id, reporting AS currency, day, sum(mrr_start * latest) AS mrr_start,
       sum(new * latest) AS new, sum(reactivation * latest) AS reactivation, sum(expansion * latest) AS expansion,
       sum(contraction * latest) AS contraction, sum(churn * latest) AS churn, sum(policy * latest) AS policy,
       sum(source * latest) AS source, sum(correction * latest) AS correction, sum(mrr_end * latest) AS mrr_end,
       CASE WHEN bool_and(factor IS NOT NULL OR mrr_end = 0) THEN coalesce(sum(mrr_end * factor), 0) END
           AS mrr_end_at_rates_of_day,
       coalesce(array_agg(currency ORDER BY currency) FILTER (
           WHERE latest IS NULL AND (mrr_start <> 0 OR mrr_end <> 0 OR new <> 0 OR reactivation <> 0)
       ), '{}') AS currencies_without_rate
FROM converted
GROUP BY workspace_id, connection_id, reporting, day;

COMMENT ON VIEW analytics.mrr_daily_reported IS 'MRR of every day in a reporting currency, all days at the rates that are valid today, so that a change of a rate is never an expansion: what moves is what customers did. Amounts are exact and not rounded, so that they add up as those of mrr_daily do. Empty until rates are loaded. The rows behind it are those of mrr_daily.';
COMMENT ON COLUMN analytics.mrr_daily_reported.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.mrr_daily_reported.connection_id IS 'The Stripe account in one mode that it comes from; the workspace itself where identify() tells the MRR.';
COMMENT ON COLUMN analytics.mrr_daily_reported.currency IS 'The reporting currency.';
COMMENT ON COLUMN analytics.mrr_daily_reported.day IS 'The day, in the workspace''s time zone.';
COMMENT ON COLUMN analytics.mrr_daily_reported.mrr_start IS 'MRR when the day began, minor units of the reporting currency a month.';
COMMENT ON COLUMN analytics.mrr_daily_reported.new IS 'Added by customers with MRR for the first time.';
COMMENT ON COLUMN analytics.mrr_daily_reported.reactivation IS 'Added by customers that had MRR before and had none.';
COMMENT ON COLUMN analytics.mrr_daily_reported.expansion IS 'Added by customers that had MRR.';
COMMENT ON COLUMN analytics.mrr_daily_reported.contraction IS 'Lost on customers that still have MRR; positive.';
COMMENT ON COLUMN analytics.mrr_daily_reported.churn IS 'Lost on customers that have no MRR any more; positive.';
COMMENT ON COLUMN analytics.mrr_daily_reported.policy IS 'Added (or lost, negative) because another policy counts from this day.';
COMMENT ON COLUMN analytics.mrr_daily_reported.source IS 'Added (or lost, negative) because the number comes from elsewhere now.';
COMMENT ON COLUMN analytics.mrr_daily_reported.correction IS 'Added (or lost, negative) by corrections that take no single row back.';
COMMENT ON COLUMN analytics.mrr_daily_reported.mrr_end IS 'MRR when the day ended.';
COMMENT ON COLUMN analytics.mrr_daily_reported.mrr_end_at_rates_of_day IS 'The same at the rates that were valid on that day; null where one is missing. What it differs by from mrr_end is exchange alone.';
COMMENT ON COLUMN analytics.mrr_daily_reported.currencies_without_rate IS 'Currencies with MRR that day that no rate is loaded for, or none from today or before: they are not in the amounts.';

-- What analysts ask, and what answers it: the page docs/analysts.md is made of these, a test runs each on a company whose
-- figures are worked out otherwise, and the benchmark `analyst_queries` times each. Views have a row per connection, and one
-- for what identify() tells: every answer sums them, by currency, and leaves test mode out where there is live mode.

-- question: What is our MRR now?
SELECT currency, sum(mrr) AS mrr, sum(customers) AS customers
FROM mrr_as_of((SELECT max(today) FROM workspace_calendar))
WHERE connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
GROUP BY currency ORDER BY currency;

-- question: How has MRR developed over the last twelve months, and what is it a year?
SELECT currency, month, sum(mrr_end) AS mrr_end, sum(arr) AS arr, sum(customers) AS customers,
       round(sum(mrr_end) / nullif(sum(customers), 0), 2) AS arpa
FROM mrr_monthly
WHERE month > (SELECT max(today) FROM workspace_calendar) - interval '12 months'
  AND connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
GROUP BY currency, month
ORDER BY currency, month;

-- question: What was MRR on every day of the last ninety?
SELECT currency, day, sum(mrr_end) AS mrr_end, bool_or(reconstructed) AS reconstructed
FROM mrr_daily
WHERE day > (SELECT max(today) FROM workspace_calendar) - 90
  AND connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
GROUP BY currency, day
ORDER BY currency, day;

-- question: Why did MRR move, month by month?
SELECT currency, month, sum(mrr_start) AS mrr_start, sum(new) AS new, sum(reactivation) AS reactivation,
       sum(expansion) AS expansion, -sum(contraction) AS contraction, -sum(churn) AS churn,
       sum(policy + source + correction) AS other, sum(mrr_end) AS mrr_end
FROM mrr_monthly
WHERE connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
GROUP BY currency, month
ORDER BY currency, month;

-- question: Which customers moved MRR most in the last thirty days, and by which record?
SELECT customer_id, currency, kind, effective_at, mrr_before, mrr_after, mrr_change, source_topic, source_partition,
       source_offset
FROM mrr_movements
WHERE stands AND effective_at >= (SELECT max(instant) FROM workspace_calendar) - interval '30 days'
  AND connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
ORDER BY abs(mrr_change) DESC, movement_id LIMIT 20;

-- question: What was MRR a month ago as we know it now, and as we knew it the day after?
WITH asked AS (SELECT max(today) - 30 AS day, max(instant) - interval '29 days' AS at FROM workspace_calendar)
SELECT currency, sum(n.mrr) AS mrr_as_known_now, sum(k.mrr) AS mrr_as_known_then, sum(n.mrr - coalesce(k.mrr, 0)) AS restated
FROM asked
CROSS JOIN LATERAL mrr_as_of(asked.day) n
LEFT JOIN LATERAL mrr_as_known(asked.day, asked.at) k USING (connection_id, currency)
WHERE connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
GROUP BY currency ORDER BY currency;

-- question: How much of a month became known only after it was over?
SELECT currency, date_trunc('month', day)::date AS month, sum(mrr_change) AS restated
FROM mrr_daily_changes
WHERE observed_day >= date_trunc('month', day) + interval '1 month'
  AND connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
GROUP BY 1, 2 ORDER BY 1, 2;

-- question: What are our net and gross revenue retention, month by month?
SELECT currency, month, round(sum(nrr * mrr_start) / sum(mrr_start), 4) AS nrr,
       round(sum(grr * mrr_start) / sum(mrr_start), 4) AS grr,
       round(sum(churned_customers) / nullif(sum(customers_start), 0), 4) AS customer_churn_rate,
       round(sum(churned_revenue) / sum(mrr_start), 4) AS revenue_churn_rate
FROM mrr_monthly
WHERE connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
GROUP BY currency, month
HAVING sum(mrr_start) > 0
ORDER BY currency, month;

-- question: What is our retention over the last thirty days?
SELECT r.currency, sum(r.mrr_start) AS mrr_start, sum(r.expansion) AS expansion, sum(r.contraction) AS contraction,
       sum(r.churn) AS churn,
       round(sum(r.mrr_start + r.expansion - r.contraction - r.churn) / nullif(sum(r.mrr_start), 0), 4) AS nrr,
       round(sum(r.grr * r.mrr_start) / nullif(sum(r.mrr_start), 0), 4) AS grr
FROM (SELECT max(today) AS today FROM workspace_calendar) c
CROSS JOIN LATERAL mrr_retention(c.today - 29, c.today) r
WHERE r.connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
GROUP BY r.currency ORDER BY r.currency;

-- question: What is our quick ratio, quarter by quarter?
SELECT currency, date_trunc('quarter', month)::date AS quarter,
       round(sum(new + reactivation + expansion) / nullif(sum(contraction + churn), 0), 2) AS quick_ratio
FROM mrr_monthly
WHERE connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
GROUP BY 1, 2 ORDER BY 1, 2;

-- question: Which plans bring our MRR?
SELECT currency, plan, sum(mrr) AS mrr, sum(customers) AS customers, sum(quantity) AS quantity,
       round(100.0 * sum(mrr) / sum(sum(mrr)) OVER (PARTITION BY currency), 1) AS percent
FROM mrr_by_plan
WHERE connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
GROUP BY currency, plan ORDER BY currency, mrr DESC;

-- question: Who are our twenty largest customers?
SELECT m.customer_id, c.name, c.email, m.currency, m.mrr, m.first_at
FROM mrr_by_customer m
LEFT JOIN customers c USING (connection_id, customer_id)
WHERE m.mrr > 0 AND m.connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
ORDER BY m.mrr DESC, m.customer_id LIMIT 20;

-- question: How much of our MRR hangs on the ten largest?
SELECT currency, sum(mrr) FILTER (WHERE place <= 10) AS of_ten, sum(mrr) AS mrr,
       round(100.0 * sum(mrr) FILTER (WHERE place <= 10) / sum(mrr), 1) AS percent
FROM (
    SELECT currency, mrr, row_number() OVER (PARTITION BY currency ORDER BY mrr DESC) AS place
    FROM mrr_by_customer
    WHERE mrr > 0 AND connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
) AS ranked
GROUP BY currency ORDER BY currency;

-- question: How many customers, and how much MRR, are left of each cohort after one, three, six and twelve months?
SELECT currency, cohort, sum(cohort_customers) FILTER (WHERE months_since = 0) AS customers,
       round(sum(customers) FILTER (WHERE months_since = 1) / sum(cohort_customers) FILTER (WHERE months_since = 1), 4)
           AS after_1,
       round(sum(customers) FILTER (WHERE months_since = 3) / sum(cohort_customers) FILTER (WHERE months_since = 3), 4)
           AS after_3,
       round(sum(customers) FILTER (WHERE months_since = 6) / sum(cohort_customers) FILTER (WHERE months_since = 6), 4)
           AS after_6,
       round(sum(customers) FILTER (WHERE months_since = 12) / sum(cohort_customers) FILTER (WHERE months_since = 12), 4)
           AS after_12,
       round(sum(mrr) FILTER (WHERE months_since = 12) / sum(cohort_mrr) FILTER (WHERE months_since = 12), 4)
           AS mrr_after_12
FROM retention_cohorts
WHERE connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
GROUP BY currency, cohort ORDER BY currency, cohort;

-- question: Who churned in the last thirty days, and how long had they been with us?
SELECT m.customer_id, m.currency, m.mrr_before AS mrr_lost, m.effective_at, m.effective_at - b.first_at AS stayed
FROM (
    SELECT * FROM mrr_movements
    WHERE stands AND kind = 'churn' AND effective_at >= (SELECT max(instant) FROM workspace_calendar) - interval '30 days'
      AND connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
    ORDER BY mrr_before DESC, customer_id LIMIT 100
) AS m
JOIN mrr_by_customer b USING (connection_id, customer_id, currency)
ORDER BY mrr_lost DESC, m.customer_id;

-- question: Who came back in the last ninety days?
SELECT customer_id, currency, effective_at, mrr_after
FROM mrr_movements
WHERE stands AND kind = 'reactivation' AND effective_at >= (SELECT max(instant) FROM workspace_calendar) - interval '90 days'
  AND connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
ORDER BY effective_at DESC, customer_id LIMIT 100;

-- question: In which countries is our MRR?
SELECT coalesce(c.country, 'unknown') AS country, m.currency, sum(m.mrr) AS mrr, count(*) AS customers
FROM mrr_by_customer m
LEFT JOIN customers c USING (connection_id, customer_id)
WHERE m.mrr > 0 AND m.connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
GROUP BY 1, 2 ORDER BY 2, 3 DESC;

-- question: How much MRR has an invoice that is open although it was tried to collect?
SELECT m.currency, count(*) AS customers, sum(m.mrr) AS mrr_at_stake
FROM mrr_by_customer m
WHERE m.mrr > 0 AND m.connection_id NOT IN (SELECT connection_id FROM connections_set_aside) AND EXISTS (
    SELECT FROM invoices i
    WHERE i.connection_id = m.connection_id AND i.customer_id = m.customer_id AND i.status = 'open' AND i.attempted
)
GROUP BY m.currency ORDER BY m.currency;

-- question: How much MRR stands behind each open signal?
SELECT s.code, m.currency, count(*) AS signals, sum(m.mrr) AS mrr
FROM signals s
JOIN mrr_by_customer m USING (connection_id, customer_id)
WHERE s.state = 'open' AND m.connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
GROUP BY s.code, m.currency ORDER BY s.code, m.currency;

-- question: Which trials end within a week, and what would they bring?
SELECT customer_id, subscription_id, trial_end, price_nickname, quantity, unit_amount, currency
FROM subscriptions
WHERE status = 'trialing' AND NOT deleted
  AND trial_end < (SELECT max(instant) FROM workspace_calendar) + interval '7 days'
  AND connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
ORDER BY trial_end, subscription_id LIMIT 100;

-- question: What is our MRR in one currency, month by month, exchange aside?
SELECT currency, day, round(sum(mrr_end)) AS mrr,
       CASE WHEN bool_and(mrr_end_at_rates_of_day IS NOT NULL) THEN round(sum(mrr_end_at_rates_of_day)) END
           AS mrr_at_rates_of_day,
       coalesce(string_agg(DISTINCT nullif(array_to_string(currencies_without_rate, ' '), ''), ' '), '')
           AS currencies_without_rate
FROM mrr_daily_reported
WHERE day = (date_trunc('month', day) + interval '1 month' - interval '1 day')::date
  AND connection_id NOT IN (SELECT connection_id FROM connections_set_aside)
GROUP BY currency, day
ORDER BY currency, day;

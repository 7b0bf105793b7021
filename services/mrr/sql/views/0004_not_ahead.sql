-- A day ahead has no MRR yet: whoever asks for one is told nothing, not what there is today.

CREATE OR REPLACE FUNCTION analytics.mrr_as_of(on_day date)
RETURNS TABLE (workspace_id text, connection_id text, currency text, mrr bigint, customers bigint, reconstructed boolean)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT c.workspace_id, c.connection_id, c.currency, coalesce(sum(c.mrr_change) FILTER (WHERE c.day <= on_day), 0)::bigint,
           coalesce(sum(c.customers_change) FILTER (WHERE c.day <= on_day), 0)::bigint,
           on_day < min(min(c.observed_day)) OVER (PARTITION BY c.workspace_id, c.connection_id)
    FROM analytics.mrr_daily_changes c
    JOIN analytics.workspace_calendar k ON k.workspace_id = c.workspace_id
    GROUP BY c.workspace_id, c.connection_id, c.currency
    HAVING on_day <= greatest(max(k.today), max(c.day))
$$;

COMMENT ON FUNCTION analytics.mrr_as_of IS 'MRR at the end of a day (in the workspace''s time zone; today: so far; a day ahead: no row) as it is known now, a row per connection and currency. reconstructed: the day lies before the connection.';

CREATE OR REPLACE FUNCTION analytics.mrr_as_known(on_day date, at timestamptz)
RETURNS TABLE (workspace_id text, connection_id text, currency text, mrr bigint, customers bigint, reconstructed boolean)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
WITH calendar AS (
        SELECT c.workspace_id, (at AT TIME ZONE c.timezone)::date AS last,
               (at AT TIME ZONE c.timezone)::date::timestamp AT TIME ZONE c.timezone AS since,
               (on_day + 1)::timestamp AT TIME ZONE c.timezone AS until
        FROM analytics.workspace_calendar c
        WHERE on_day <= least(c.today, (at AT TIME ZONE c.timezone)::date)
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

COMMENT ON FUNCTION analytics.mrr_as_known IS 'MRR at the end of a day as it was known at an instant: what was reported of that day then can be asked again after any correction, policy or rebuild. A row per connection and currency that was known, none of a day that was ahead then; reconstructed: the day lies before the connection.';

CREATE OR REPLACE FUNCTION analytics.mrr_customers_as_of(on_day date)
RETURNS TABLE (workspace_id text, connection_id text, customer_id text, currency text, mrr bigint)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT b.workspace_id, b.connection_id, b.customer_id, b.currency, b.mrr - coalesce(l.mrr_change, 0)
    FROM analytics.mrr_by_customer b
    JOIN analytics.workspace_calendar k ON k.workspace_id = b.workspace_id AND on_day <= k.today
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

COMMENT ON FUNCTION analytics.mrr_customers_as_of IS 'Every customer''s MRR at the end of a day as it is known now; those without any are left out, and everybody of a day ahead. Goes back from what stands, so the later the day, the sooner the answer.';

CREATE OR REPLACE FUNCTION analytics.mrr_customers_as_known(on_day date, at timestamptz)
RETURNS TABLE (workspace_id text, connection_id text, customer_id text, currency text, mrr bigint)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT m.workspace_id, m.connection_id, m.customer_id, m.currency, sum(m.mrr_change)::bigint
    FROM analytics.workspace_calendar c
    JOIN analytics.mrr_movements m ON m.workspace_id = c.workspace_id
     AND m.effective_at < (on_day + 1)::timestamp AT TIME ZONE c.timezone
    WHERE m.observed_at <= at AND on_day <= c.today
    GROUP BY m.workspace_id, m.connection_id, m.customer_id, m.currency
    HAVING sum(m.mrr_change) <> 0
$$;

COMMENT ON FUNCTION analytics.mrr_customers_as_known IS 'Every customer''s MRR at the end of a day as it was known at an instant; those without any are left out, and everybody of a day ahead. For one customer, name it in WHERE.';

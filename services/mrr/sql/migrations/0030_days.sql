-- What the questions of analysts are answered from: the ledger added up by day and by month, in the time zones that are
-- asked for. Brought up to date by the statement that adds movements, so that it always says what the ledger says.

CREATE TABLE zones (
    workspace_id text NOT NULL,
    zone         text NOT NULL,
    PRIMARY KEY (workspace_id, zone)
);
COMMENT ON TABLE zones IS 'The time zones that a workspace''s days are kept in: the one in force, and one that was decided and comes.';

CREATE TABLE days (
    workspace_id  text NOT NULL,
    connection_id text NOT NULL,
    zone          text NOT NULL,
    currency      text NOT NULL,
    day           date NOT NULL,
    observed_day  date NOT NULL,
    bucket        integer NOT NULL,
    new           bigint NOT NULL,
    reactivation  bigint NOT NULL,
    expansion     bigint NOT NULL,
    contraction   bigint NOT NULL,
    churn         bigint NOT NULL,
    policy        bigint NOT NULL,
    source        bigint NOT NULL,
    correction    bigint NOT NULL,
    customers     integer NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, zone, currency, day, observed_day, bucket)
) WITH (fillfactor = 70);
COMMENT ON TABLE days IS 'What movements add up to, by the day of their effect and the day on which they became known; a correction counts against the kind that it takes back. Per bucket (the partition of the customers) so that no row is hot.';
COMMENT ON COLUMN days.customers IS 'Customers that began to have MRR less those that ceased to.';

CREATE TABLE months (
    workspace_id  text NOT NULL,
    connection_id text NOT NULL,
    zone          text NOT NULL,
    currency      text NOT NULL,
    cohort        date NOT NULL,
    month         date NOT NULL,
    bucket        integer NOT NULL,
    mrr           bigint NOT NULL,
    customers     bigint NOT NULL,
    joined        bigint NOT NULL,
    began         bigint NOT NULL,
    expansion     bigint NOT NULL,
    contraction   bigint NOT NULL,
    churn         bigint NOT NULL,
    churned       bigint NOT NULL,
    lost          bigint NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, zone, currency, cohort, month, bucket)
) WITH (fillfactor = 70);
COMMENT ON TABLE months IS 'What the movements that stand add up to, by the month of the customer''s first MRR and the month of their effect. Per bucket (the partition of the customers) so that no row is hot.';
COMMENT ON COLUMN months.mrr IS 'How much more MRR they have at the month''s end than at its start.';
COMMENT ON COLUMN months.customers IS 'How many more customers have MRR at the month''s end than at its start.';
COMMENT ON COLUMN months.joined IS 'Customers of the cohort that began in this month: all of them in its first, none in others.';
COMMENT ON COLUMN months.began IS 'The MRR that they began with.';
COMMENT ON COLUMN months.expansion IS 'Of customers that had MRR when the month began, until it first ended: what they added.';
COMMENT ON COLUMN months.contraction IS 'Of the same: what they took off and still had MRR; positive.';
COMMENT ON COLUMN months.churn IS 'Of the same: what ended; positive.';
COMMENT ON COLUMN months.churned IS 'How many of them churned.';
COMMENT ON COLUMN months.lost IS 'Contraction and churn together, of each customer at most what it had when the month began.';

-- A customer's rows together, and no other: what is added up is added up anew for whom something came.
DROP INDEX movements_by_customer;
CREATE INDEX movements_by_customer ON movements (connection_id, customer_id, currency, effective_at);
-- Rows come in about the order in which they are observed: that is all it takes to find those of a day.
CREATE INDEX movements_by_observation ON movements USING brin (observed_at) WITH (pages_per_range = 16, autosummarize = on);

-- Planned for few rows among many, whatever there was when it was planned first.
CREATE FUNCTION keep_days(connections text[], subjects text[], currencies text[], added uuid[], only_zone text) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
BEGIN
    WITH touched AS (
        SELECT DISTINCT * FROM unnest(connections, subjects, currencies) AS t (connection_id, customer_id, currency)
    ), rows AS (
        SELECT m.*, z.zone, (m.effective_at AT TIME ZONE z.zone)::date AS day,
               only_zone IS NOT NULL OR a.movement_id IS NOT NULL AS is_added
        FROM touched t
        CROSS JOIN LATERAL (
            SELECT workspace_id, connection_id, customer_id, currency, movement_id, coalesce(corrects, movement_id) AS pair,
                   corrects IS NOT NULL AS is_correction, kind, effective_at, observed_at, mrr_before, mrr_after,
                   CASE kind WHEN 'source' THEN CASE mrr_after WHEN 0 THEN 0 ELSE 3 END WHEN 'policy' THEN 1 ELSE 2 END AS rank,
                   CASE WHEN starts_with(source_topic, 'stripe.') OR starts_with(source_topic, 'product.')
                       THEN source_partition END AS partition
            FROM movements
            WHERE connection_id = t.connection_id AND customer_id = t.customer_id AND currency = t.currency
            OFFSET 0
        ) AS m
        JOIN zones z ON z.workspace_id = m.workspace_id AND (only_zone IS NULL OR z.zone = only_zone)
        LEFT JOIN unnest(added) AS a (movement_id) ON a.movement_id = m.movement_id
    ), told AS MATERIALIZED (  -- `rank`: in which order rows of one instant follow upon one another
        SELECT *, coalesce(min(partition) OVER (PARTITION BY connection_id, customer_id), 0) AS bucket,
               max(kind) FILTER (WHERE NOT is_correction) OVER of_pair AS counts_as,
               NOT bool_or(is_correction) OVER of_pair AS stands,
               NOT is_added AND NOT is_correction
                   AND NOT coalesce(bool_or(is_correction AND NOT is_added) OVER of_pair, false) AS stood
        FROM rows
        WINDOW of_pair AS (PARTITION BY zone, pair)
    ), by_day AS (
        INSERT INTO days AS d (
            workspace_id, connection_id, zone, currency, day, observed_day, bucket, new, reactivation, expansion, contraction,
            churn, policy, source, correction, customers
        )
        SELECT workspace_id, connection_id, zone, currency, day, (observed_at AT TIME ZONE zone)::date AS observed_day, bucket,
               coalesce(sum(mrr_after - mrr_before) FILTER (WHERE counts_as = 'new'), 0),
               coalesce(sum(mrr_after - mrr_before) FILTER (WHERE counts_as = 'reactivation'), 0),
               coalesce(sum(mrr_after - mrr_before) FILTER (WHERE counts_as = 'expansion'), 0),
               coalesce(sum(mrr_after - mrr_before) FILTER (WHERE counts_as = 'contraction'), 0),
               coalesce(sum(mrr_after - mrr_before) FILTER (WHERE counts_as = 'churn'), 0),
               coalesce(sum(mrr_after - mrr_before) FILTER (WHERE counts_as = 'policy'), 0),
               coalesce(sum(mrr_after - mrr_before) FILTER (WHERE counts_as = 'source'), 0),
               coalesce(sum(mrr_after - mrr_before) FILTER (WHERE counts_as IS NULL OR counts_as = 'correction'), 0),
               sum((mrr_after > 0)::integer - (mrr_before > 0)::integer)
        FROM told
        WHERE is_added
        GROUP BY 1, 2, 3, 4, 5, 6, 7
        ORDER BY 1, 2, 3, 4, 5, 6, 7
        ON CONFLICT (workspace_id, connection_id, zone, currency, day, observed_day, bucket) DO UPDATE SET
            new = d.new + excluded.new,
            reactivation = d.reactivation + excluded.reactivation,
            expansion = d.expansion + excluded.expansion,
            contraction = d.contraction + excluded.contraction,
            churn = d.churn + excluded.churn,
            policy = d.policy + excluded.policy,
            source = d.source + excluded.source,
            correction = d.correction + excluded.correction,
            customers = d.customers + excluded.customers
    ), standing AS (
        SELECT 1 AS sign, * FROM told WHERE stands
        UNION ALL
        SELECT -1, * FROM told WHERE stood
    ), lived AS (
        SELECT *, date_trunc('month', day)::date AS month,
               date_trunc('month', min(day) OVER of_customer)::date AS cohort,
               row_number() OVER so_far = 1 AS is_first,
               date_trunc('month', max(day) FILTER (WHERE mrr_before = 0) OVER so_far) < date_trunc('month', day) AS was_there
        FROM standing
        WINDOW of_customer AS (PARTITION BY sign, zone, connection_id, customer_id, currency),
               so_far AS (of_customer ORDER BY effective_at, rank ROWS UNBOUNDED PRECEDING)
    ), by_customer AS (
        SELECT workspace_id, connection_id, zone, currency, cohort, month, bucket, sign,
               sum(mrr_after - mrr_before) AS mrr,
               sum((mrr_after > 0)::integer - (mrr_before > 0)::integer) AS customers,
               count(*) FILTER (WHERE is_first) AS joined,
               coalesce(sum(mrr_after) FILTER (WHERE is_first), 0) AS began,
               coalesce(sum(mrr_after - mrr_before) FILTER (WHERE was_there AND kind = 'expansion'), 0) AS expansion,
               coalesce(sum(mrr_before - mrr_after) FILTER (WHERE was_there AND kind = 'contraction'), 0) AS contraction,
               coalesce(sum(mrr_before - mrr_after) FILTER (WHERE was_there AND kind = 'churn'), 0) AS churn,
               count(*) FILTER (WHERE was_there AND kind = 'churn') AS churned,
               least(
                   (array_agg(mrr_before ORDER BY effective_at, rank))[1],
                   coalesce(sum(mrr_before - mrr_after) FILTER (WHERE was_there AND kind IN ('contraction', 'churn')), 0)
               ) AS lost
        FROM lived
        GROUP BY workspace_id, connection_id, zone, currency, cohort, month, bucket, sign, customer_id
    ), by_month AS (
        SELECT workspace_id, connection_id, zone, currency, cohort, month, bucket,
               sum(sign * mrr) AS mrr, sum(sign * customers) AS customers, sum(sign * joined) AS joined,
               sum(sign * began) AS began, sum(sign * expansion) AS expansion, sum(sign * contraction) AS contraction,
               sum(sign * churn) AS churn, sum(sign * churned) AS churned, sum(sign * lost) AS lost
        FROM by_customer
        GROUP BY 1, 2, 3, 4, 5, 6, 7
    )
    INSERT INTO months AS m
    SELECT * FROM by_month
    WHERE (mrr, customers, joined, began, expansion, contraction, churn, churned, lost) <> (0, 0, 0, 0, 0, 0, 0, 0, 0)
    ORDER BY 1, 2, 3, 4, 5, 6, 7
    ON CONFLICT (workspace_id, connection_id, zone, currency, cohort, month, bucket) DO UPDATE SET
        mrr = m.mrr + excluded.mrr,
        customers = m.customers + excluded.customers,
        joined = m.joined + excluded.joined,
        began = m.began + excluded.began,
        expansion = m.expansion + excluded.expansion,
        contraction = m.contraction + excluded.contraction,
        churn = m.churn + excluded.churn,
        churned = m.churned + excluded.churned,
        lost = m.lost + excluded.lost;
END $$;
COMMENT ON FUNCTION keep_days IS 'Adds the rows that were added, of these customers, to days and months; with a zone all of their rows, to the days and months of that zone.';

CREATE FUNCTION keep_added() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM set_config('search_path', quote_ident(TG_TABLE_SCHEMA), true);  -- wherever the table is now: a swap renames it
    INSERT INTO zones
    SELECT DISTINCT workspace_id, 'UTC' FROM added a WHERE NOT EXISTS (SELECT FROM zones z WHERE z.workspace_id = a.workspace_id)
    ON CONFLICT DO NOTHING;
    PERFORM keep_days(array_agg(connection_id), array_agg(customer_id), array_agg(currency), array_agg(movement_id), NULL)
    FROM added;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION keep_added IS 'Brings days and months up to date with the movements that a statement added.';

CREATE FUNCTION keep_zones(of_workspace text) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    latest timestamptz;
    wanted text[];
    coming text;
BEGIN
    SELECT max(decided_at) INTO latest FROM decisions
    WHERE workspace_id = of_workspace AND kind = 'workspace.settings' AND detail ->> 'timezone' IS NOT NULL;
    SELECT array_agg(DISTINCT zone) INTO wanted FROM (
        SELECT coalesce((
            SELECT detail ->> 'timezone' FROM decisions
            WHERE workspace_id = of_workspace AND kind = 'workspace.settings' AND detail ->> 'timezone' IS NOT NULL
              AND effective_at < latest
            ORDER BY effective_at DESC, decision_id DESC LIMIT 1
        ), 'UTC') AS zone
        UNION ALL
        SELECT detail ->> 'timezone' FROM decisions
        WHERE workspace_id = of_workspace AND kind = 'workspace.settings' AND detail ->> 'timezone' IS NOT NULL
          AND effective_at >= latest
    ) AS w;
    DELETE FROM days WHERE workspace_id = of_workspace AND zone <> ALL (wanted);
    DELETE FROM months WHERE workspace_id = of_workspace AND zone <> ALL (wanted);
    DELETE FROM zones WHERE workspace_id = of_workspace AND zone <> ALL (wanted);
    FOR coming IN
        INSERT INTO zones SELECT of_workspace, w FROM unnest(wanted) AS w ON CONFLICT DO NOTHING RETURNING zone
    LOOP
        PERFORM keep_days(array_agg(connection_id), array_agg(customer_id), array_agg(currency), NULL, coming)
        FROM (SELECT DISTINCT connection_id, customer_id, currency FROM movements WHERE workspace_id = of_workspace) AS c;
    END LOOP;
END $$;
COMMENT ON FUNCTION keep_zones IS 'Keeps the days of a workspace in the zone that was in force before its latest was decided, and in those that count from then on.';

CREATE FUNCTION keep_decided() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM set_config('search_path', quote_ident(TG_TABLE_SCHEMA), true);
    PERFORM keep_zones(NEW.workspace_id);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION keep_decided IS 'Keeps a workspace''s days in the zone that was decided.';

CREATE TRIGGER keep_added AFTER INSERT ON movements
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION keep_added();

CREATE TRIGGER keep_decided AFTER INSERT ON decisions
FOR EACH ROW WHEN (NEW.kind = 'workspace.settings' AND NEW.detail ->> 'timezone' IS NOT NULL)
EXECUTE FUNCTION keep_decided();

DO $$
BEGIN
    PERFORM keep_zones(workspace_id) FROM (SELECT DISTINCT workspace_id FROM movements) AS w;
END $$;

-- Whose MRR is no part of a sum: that of test mode beside live. The rule is the console's, and that of who is whom.

CREATE OR REPLACE VIEW analytics.connections_set_aside WITH (security_invoker = true) AS
WITH made AS (
    SELECT DISTINCT ON (d.connection_id) d.workspace_id, d.connection_id, (d.detail ->> 'livemode_claimed')::boolean AS livemode
    FROM decisions d
    WHERE d.kind = 'connection.made' AND d.connection_id IS NOT NULL
    ORDER BY d.connection_id, d.effective_at DESC, d.decision_id DESC
), shown AS (
    SELECT m.workspace_id, bool_or(m.livemode) FILTER (WHERE e.connection_id IS NULL) AS livemode
    FROM made m
    LEFT JOIN (SELECT DISTINCT connection_id FROM decisions WHERE kind = 'connection.ended') AS e USING (connection_id)
    GROUP BY m.workspace_id
)
SELECT m.workspace_id, m.connection_id, m.livemode
FROM made m
JOIN shown s USING (workspace_id)
WHERE m.livemode <> coalesce(s.livemode, true);

COMMENT ON VIEW analytics.connections_set_aside IS 'Connections whose MRR is not added to the company''s: those in test mode while it has a live one (or has none of either any more), and ended live ones where there is only test mode. Leave them out of every sum over connections: WHERE connection_id NOT IN (SELECT connection_id FROM connections_set_aside).';
COMMENT ON COLUMN analytics.connections_set_aside.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.connections_set_aside.connection_id IS 'The Stripe account in one mode.';
COMMENT ON COLUMN analytics.connections_set_aside.livemode IS 'Whether it is in live mode; test and live never mix.';

-- The analysts' views of the ledger. Made anew over the new tables after a swap.

CREATE OR REPLACE VIEW analytics.mrr_movements WITH (security_invoker = true) AS
SELECT m.workspace_id, m.connection_id, m.customer_id, m.currency, m.kind, m.effective_at, m.observed_at,
       m.mrr_before, m.mrr_after, m.mrr_after - m.mrr_before AS mrr_change, m.reconstructed, m.basis,
       c.movement_id AS corrected_by, m.corrects, m.corrects IS NULL AND c.movement_id IS NULL AS stands,
       m.subscriptions, m.detail, m.policy_version, m.movement_id, m.source_topic, m.source_partition, m.source_offset
FROM movements m
LEFT JOIN movements c ON c.corrects = m.movement_id;

COMMENT ON VIEW analytics.mrr_movements IS 'The MRR ledger: one row per change of one customer''s MRR in one currency. Rows are never changed: where the past turned out to be another, a row of kind correction takes the old one back and a new row follows. For the ledger as it is known now, take the rows that stand; for what was known at an instant, those with observed_at up to it.';
COMMENT ON COLUMN analytics.mrr_movements.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.mrr_movements.connection_id IS 'The Stripe account in one mode that it comes from.';
COMMENT ON COLUMN analytics.mrr_movements.customer_id IS 'Stripe''s id of the customer.';
COMMENT ON COLUMN analytics.mrr_movements.currency IS 'ISO 4217 code in lower case. Amounts of different currencies are never added.';
COMMENT ON COLUMN analytics.mrr_movements.kind IS 'new (0 to something for the first time), reactivation (again), expansion, contraction, churn (to 0); policy and source (not the customer''s doing); correction (takes a row back).';
COMMENT ON COLUMN analytics.mrr_movements.effective_at IS 'When it took effect: Stripe''s own time where it has one, else when it was first seen.';
COMMENT ON COLUMN analytics.mrr_movements.observed_at IS 'When it became known.';
COMMENT ON COLUMN analytics.mrr_movements.mrr_before IS 'The customer''s MRR before, minor units a month.';
COMMENT ON COLUMN analytics.mrr_movements.mrr_after IS 'The customer''s MRR after, minor units a month.';
COMMENT ON COLUMN analytics.mrr_movements.mrr_change IS 'After less before, minor units a month.';
COMMENT ON COLUMN analytics.mrr_movements.reconstructed IS 'Whether it lies before the connection and was derived from dates and invoices.';
COMMENT ON COLUMN analytics.mrr_movements.basis IS 'subscription, or invoice where something could only be valued from an invoice.';
COMMENT ON COLUMN analytics.mrr_movements.corrected_by IS 'The correction that took the row back; null while it stands.';
COMMENT ON COLUMN analytics.mrr_movements.corrects IS 'Of a correction: the row that it takes back.';
COMMENT ON COLUMN analytics.mrr_movements.stands IS 'Whether the row is part of the ledger as it is known now: neither taken back nor a correction.';
COMMENT ON COLUMN analytics.mrr_movements.subscriptions IS 'The subscriptions whose worth changed.';
COMMENT ON COLUMN analytics.mrr_movements.detail IS 'items: [{subscription, item, price, quantity, exact (a fraction of minor units a month), mrr (its share in whole minor units), basis, steps}], which add up to mrr_after.';
COMMENT ON COLUMN analytics.mrr_movements.policy_version IS 'The policy that counted.';
COMMENT ON COLUMN analytics.mrr_movements.movement_id IS 'The same in the table and on the topic mrr.movement.v1.';
COMMENT ON COLUMN analytics.mrr_movements.source_topic IS 'Topic of the record behind it.';
COMMENT ON COLUMN analytics.mrr_movements.source_partition IS 'Its partition.';
COMMENT ON COLUMN analytics.mrr_movements.source_offset IS 'Its offset.';

CREATE OR REPLACE VIEW analytics.mrr_by_customer WITH (security_invoker = true) AS
SELECT workspace_id, connection_id, customer_id, currency, mrr, basis, unvalued, first_at, since
FROM balances
WHERE mrr > 0 OR unvalued > 0 OR first_at IS NOT NULL;

COMMENT ON VIEW analytics.mrr_by_customer IS 'MRR of every customer that has or had some, per currency, as it stands. The rows behind it are those of mrr_movements that stand.';
COMMENT ON COLUMN analytics.mrr_by_customer.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.mrr_by_customer.connection_id IS 'The Stripe account in one mode that it comes from.';
COMMENT ON COLUMN analytics.mrr_by_customer.customer_id IS 'Stripe''s id of the customer.';
COMMENT ON COLUMN analytics.mrr_by_customer.currency IS 'ISO 4217 code in lower case. Amounts of different currencies are never added.';
COMMENT ON COLUMN analytics.mrr_by_customer.mrr IS 'MRR, minor units a month; 0 after churn.';
COMMENT ON COLUMN analytics.mrr_by_customer.basis IS 'subscription; invoice where something could only be valued from an invoice; unknown where something could not be valued at all yet.';
COMMENT ON COLUMN analytics.mrr_by_customer.unvalued IS 'Items that could not be valued, or only without a discount that cannot be read; 0 as a rule.';
COMMENT ON COLUMN analytics.mrr_by_customer.first_at IS 'When it first had MRR in this currency; null if never.';
COMMENT ON COLUMN analytics.mrr_by_customer.since IS 'When its MRR last changed; null if never.';

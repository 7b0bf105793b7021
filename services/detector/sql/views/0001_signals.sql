-- The analysts' view of signals. Made anew over the new tables after a swap.

CREATE OR REPLACE VIEW analytics.signals WITH (security_invoker = true) AS
SELECT workspace_id, connection_id, livemode, customer_id, user_id, code, state, severity, opened_at, resolved_at,
       signal_id, sentence, resolution, detail, evidence, revision, source_topic, source_partition, source_offset
FROM signals;

COMMENT ON VIEW analytics.signals IS 'Churn signals, one row each, as they stand. At most one open per customer and code.';
COMMENT ON COLUMN analytics.signals.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.signals.connection_id IS 'The Stripe account in one mode that it comes from.';
COMMENT ON COLUMN analytics.signals.livemode IS 'Whether the connection is in live mode; test and live never mix.';
COMMENT ON COLUMN analytics.signals.customer_id IS 'Stripe''s customer; null where the signal is a user''s alone.';
COMMENT ON COLUMN analytics.signals.user_id IS 'The product''s user, if one is known.';
COMMENT ON COLUMN analytics.signals.code IS 'Which signal: payment_failed, subscription_lapsed, ...';
COMMENT ON COLUMN analytics.signals.state IS 'open, resolved, or withdrawn (later facts showed that it should not have opened).';
COMMENT ON COLUMN analytics.signals.severity IS 'medium, high or critical.';
COMMENT ON COLUMN analytics.signals.opened_at IS 'When it happened, by Stripe or the event, not when it was detected.';
COMMENT ON COLUMN analytics.signals.resolved_at IS 'When it was over, by Stripe or the event; null while open.';
COMMENT ON COLUMN analytics.signals.signal_id IS 'The same for as long as the signal lives, in the table and on the topic.';
COMMENT ON COLUMN analytics.signals.sentence IS 'What happened, in a sentence.';
COMMENT ON COLUMN analytics.signals.resolution IS 'Why it is resolved or withdrawn: paid, void, uncollectible, cleared, paying_again, disconnected, ...';
COMMENT ON COLUMN analytics.signals.detail IS 'The rule''s own facts. payment_failed: invoices [{invoice_id, number, subscription_id, amount (minor units), currency, failed_at, reason, hard_decline, failed_charges, attempt_count, next_attempt_at, ended, ended_at}]. subscription_lapsed: voluntary, subscriptions [{subscription_id, status, lapsed_at, voluntary, reason}].';
COMMENT ON COLUMN analytics.signals.evidence IS 'The records that speak for it: [{source: {topic, partition, offset}, object_id, says}].';
COMMENT ON COLUMN analytics.signals.revision IS 'How often something was published of it.';
COMMENT ON COLUMN analytics.signals.source_topic IS 'Topic of the record that led to the latest change; null where time did.';
COMMENT ON COLUMN analytics.signals.source_partition IS 'Its partition.';
COMMENT ON COLUMN analytics.signals.source_offset IS 'Its offset.';

-- Test emails of senders, each from the decision that asked for it.

CREATE OR REPLACE VIEW analytics.dunning_sender_tests WITH (security_invoker = true) AS
SELECT d.workspace_id, d.decision_id, d.effective_at AS asked_at, d.decided_by AS asked_by,
       d.detail ->> 'to' AS recipient, t.sender, coalesce(t.state, 'waiting') AS state, t.reply, t.changed_at,
       d.source_topic, d.source_partition, d.source_offset
FROM decisions d
LEFT JOIN dunning_io.sender_tests t USING (decision_id)
WHERE d.kind = 'dunning.test_send';

COMMENT ON VIEW analytics.dunning_sender_tests IS 'Test emails of senders, one row per decision that asked for one. None goes twice.';
COMMENT ON COLUMN analytics.dunning_sender_tests.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.dunning_sender_tests.decision_id IS 'The decision that asked for it.';
COMMENT ON COLUMN analytics.dunning_sender_tests.asked_at IS 'When it was asked for.';
COMMENT ON COLUMN analytics.dunning_sender_tests.asked_by IS 'Who asked: a member, or operator.';
COMMENT ON COLUMN analytics.dunning_sender_tests.recipient IS 'The address it goes to.';
COMMENT ON COLUMN analytics.dunning_sender_tests.sender IS 'The address it was from; null until it is tried.';
COMMENT ON COLUMN analytics.dunning_sender_tests.state IS 'waiting (not tried yet), sending, sent (the mail server took it), failed (it was not taken), unknown (it may have been taken).';
COMMENT ON COLUMN analytics.dunning_sender_tests.reply IS 'What the mail server said, or why it was not tried.';
COMMENT ON COLUMN analytics.dunning_sender_tests.changed_at IS 'When it came to that state (machine time).';
COMMENT ON COLUMN analytics.dunning_sender_tests.source_topic IS 'Topic of the decision.';
COMMENT ON COLUMN analytics.dunning_sender_tests.source_partition IS 'Its partition.';
COMMENT ON COLUMN analytics.dunning_sender_tests.source_offset IS 'Its offset.';

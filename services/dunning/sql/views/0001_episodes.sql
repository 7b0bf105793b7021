-- The analysts' views of dunning. Made anew over the new tables after a swap.

CREATE OR REPLACE VIEW analytics.dunning_episodes WITH (security_invoker = true) AS
SELECT e.workspace_id, e.connection_id, e.livemode, e.customer_id, e.user_id, e.episode_id, e.state, e.reason,
       e.opened_at, e.ended_at, e.step, e.steps, e.due_at, e.mailed, e.mailed_at, e.decline_reason,
       (SELECT coalesce(jsonb_object_agg(a.currency, a.at_stake), '{}') FROM amounts a WHERE a.episode_id = e.episode_id) AS at_stake,
       (SELECT coalesce(jsonb_object_agg(a.currency, a.remaining), '{}') FROM amounts a WHERE a.episode_id = e.episode_id) AS remaining,
       (SELECT coalesce(jsonb_object_agg(a.currency, a.recovered), '{}') FROM amounts a WHERE a.episode_id = e.episode_id) AS recovered,
       (SELECT d.why FROM due d WHERE d.episode_id = e.episode_id LIMIT 1) AS waits_for,
       e.invoices, e.policy, e.source_topic, e.source_partition, e.source_offset
FROM episodes e;

COMMENT ON VIEW analytics.dunning_episodes IS 'Dunning episodes, one row each, as they stand. At most one is open per customer and mode, a proposed one aside.';
COMMENT ON COLUMN analytics.dunning_episodes.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.dunning_episodes.connection_id IS 'The Stripe account in one mode; null for a failure recorded by hand.';
COMMENT ON COLUMN analytics.dunning_episodes.livemode IS 'Whether the connection is in live mode; of a failure recorded by hand, whether the workspace had a live account then, or none at all. Test and live never mix.';
COMMENT ON COLUMN analytics.dunning_episodes.customer_id IS 'Stripe''s customer; null for a failure recorded by hand.';
COMMENT ON COLUMN analytics.dunning_episodes.user_id IS 'The product''s user of a failure recorded by hand.';
COMMENT ON COLUMN analytics.dunning_episodes.episode_id IS 'The same for as long as the episode lives, in the tables and on the topic.';
COMMENT ON COLUMN analytics.dunning_episodes.state IS 'proposed (a person must start it), waiting, due, held, exhausted (all emails went, nothing came), recovered, closed.';
COMMENT ON COLUMN analytics.dunning_episodes.reason IS 'Why it is held, or how it ended: no_address, disputed, needs_review, ...; paid, cleared, void, canceled, stopped, skipped, ...';
COMMENT ON COLUMN analytics.dunning_episodes.opened_at IS 'When its first failure was seen, or a person started it.';
COMMENT ON COLUMN analytics.dunning_episodes.ended_at IS 'When it was exhausted, recovered or closed, by Stripe where it says so.';
COMMENT ON COLUMN analytics.dunning_episodes.step IS 'The email that is next, or was last; from 1.';
COMMENT ON COLUMN analytics.dunning_episodes.steps IS 'How many emails there are at most.';
COMMENT ON COLUMN analytics.dunning_episodes.due_at IS 'When that email is due; null where none is.';
COMMENT ON COLUMN analytics.dunning_episodes.mailed IS 'The last email that went; 0 before the first.';
COMMENT ON COLUMN analytics.dunning_episodes.mailed_at IS 'When it went.';
COMMENT ON COLUMN analytics.dunning_episodes.decline_reason IS 'Stripe''s decline code of the last failed attempt. For the company only: no email tells it.';
COMMENT ON COLUMN analytics.dunning_episodes.at_stake IS 'What was due when it first failed: {currency: minor units}.';
COMMENT ON COLUMN analytics.dunning_episodes.remaining IS 'What is still due: {currency: minor units}.';
COMMENT ON COLUMN analytics.dunning_episodes.recovered IS 'What was paid since the first failure: {currency: minor units}.';
COMMENT ON COLUMN analytics.dunning_episodes.waits_for IS 'Of a due email: what is awaited before it goes.';
COMMENT ON COLUMN analytics.dunning_episodes.invoices IS 'Its invoices: [{id, kind, failed_at, currency, stake, remaining, recovered, end, ended_at, reason, number, pay_url, sources, ...}], amounts in minor units.';
COMMENT ON COLUMN analytics.dunning_episodes.policy IS 'The policy it was opened under: days, hours, zone, thresholds.';
COMMENT ON COLUMN analytics.dunning_episodes.source_topic IS 'Topic of the record that led to the latest change; null where time did.';
COMMENT ON COLUMN analytics.dunning_episodes.source_partition IS 'Its partition.';
COMMENT ON COLUMN analytics.dunning_episodes.source_offset IS 'Its offset.';

CREATE OR REPLACE VIEW analytics.dunning_emails WITH (security_invoker = true) AS
SELECT m.workspace_id, m.connection_id, m.customer_id, m.user_id, m.episode_id, m.step, m.attempt,
       CASE WHEN m.state = 'due' AND (e.state IN ('recovered', 'closed', 'exhausted') OR e.step > m.step)
            THEN 'dropped' ELSE m.state END AS state,
       m.at, m.message_id, m.recipient, m.subject_line, m.reason, m.detail,
       io.body_text, io.body_html, io.tries, io.not_before, io.reply,
       m.source_topic, m.source_partition, m.source_offset
FROM emails m
LEFT JOIN episodes e USING (episode_id)
LEFT JOIN dunning_io.mails io ON (io.episode_id, io.step, io.attempt) = (m.episode_id, m.step, m.attempt);

COMMENT ON VIEW analytics.dunning_emails IS 'Every dunning email that was due, one row per episode, step and attempt. Each goes at most once.';
COMMENT ON COLUMN analytics.dunning_emails.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.dunning_emails.connection_id IS 'The Stripe account in one mode; null for a failure recorded by hand.';
COMMENT ON COLUMN analytics.dunning_emails.customer_id IS 'Stripe''s customer; null for a failure recorded by hand.';
COMMENT ON COLUMN analytics.dunning_emails.user_id IS 'The product''s user of a failure recorded by hand.';
COMMENT ON COLUMN analytics.dunning_emails.episode_id IS 'Its episode.';
COMMENT ON COLUMN analytics.dunning_emails.step IS 'Which email of the episode, from 1.';
COMMENT ON COLUMN analytics.dunning_emails.attempt IS 'Empty, or the decision by which a person sent it again.';
COMMENT ON COLUMN analytics.dunning_emails.state IS 'due (acknowledged by Kafka, not sent yet), sent, captured (kept instead of being sent: test mode or shadow), failed (refused for good), unknown (cut after DATA, it may have arrived), dropped (no longer due before it went).';
COMMENT ON COLUMN analytics.dunning_emails.at IS 'When it came to that state.';
COMMENT ON COLUMN analytics.dunning_emails.message_id IS 'Its Message-ID: a hash of episode, step and attempt.';
COMMENT ON COLUMN analytics.dunning_emails.recipient IS 'The address it went to.';
COMMENT ON COLUMN analytics.dunning_emails.subject_line IS 'Its subject.';
COMMENT ON COLUMN analytics.dunning_emails.reason IS 'What the mail server said, or why it was captured.';
COMMENT ON COLUMN analytics.dunning_emails.detail IS 'Why it was due: rule, step, due_at, first_failure, records, variant.';
COMMENT ON COLUMN analytics.dunning_emails.body_text IS 'What it said, as text; null until it went.';
COMMENT ON COLUMN analytics.dunning_emails.body_html IS 'What it said, as HTML; null until it went.';
COMMENT ON COLUMN analytics.dunning_emails.tries IS 'How many conversations were begun with the mail server.';
COMMENT ON COLUMN analytics.dunning_emails.not_before IS 'When it is tried again after the server refused it for now (machine time).';
COMMENT ON COLUMN analytics.dunning_emails.reply IS 'The server''s last words.';
COMMENT ON COLUMN analytics.dunning_emails.source_topic IS 'Topic of the record that told of it last.';
COMMENT ON COLUMN analytics.dunning_emails.source_partition IS 'Its partition.';
COMMENT ON COLUMN analytics.dunning_emails.source_offset IS 'Its offset.';

CREATE OR REPLACE VIEW analytics.dunning_recovery WITH (security_invoker = true) AS
SELECT e.workspace_id, e.connection_id, e.livemode, a.currency, e.mailed AS after_step, e.decline_reason,
       count(*) AS episodes,
       count(*) FILTER (WHERE e.state = 'recovered') AS recovered_episodes,
       sum(a.at_stake)::bigint AS at_stake,
       sum(a.recovered)::bigint AS recovered,
       sum(a.remaining)::bigint AS remaining,
       round(sum(a.recovered) / nullif(sum(a.at_stake), 0), 4) AS recovery_rate
FROM episodes e JOIN amounts a USING (episode_id)
WHERE e.state <> 'proposed'
GROUP BY e.workspace_id, e.connection_id, e.livemode, a.currency, e.mailed, e.decline_reason;

COMMENT ON VIEW analytics.dunning_recovery IS 'What dunning won back, by currency, the last email before it, and the decline reason. Its rows: analytics.dunning_episodes with the same columns.';
COMMENT ON COLUMN analytics.dunning_recovery.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.dunning_recovery.connection_id IS 'The Stripe account in one mode; null for failures recorded by hand.';
COMMENT ON COLUMN analytics.dunning_recovery.livemode IS 'Whether the connection is in live mode; of failures recorded by hand, as in dunning_episodes.';
COMMENT ON COLUMN analytics.dunning_recovery.currency IS 'ISO code in lower case; currencies are never added.';
COMMENT ON COLUMN analytics.dunning_recovery.after_step IS 'The last email that had gone; 0: it came back before any.';
COMMENT ON COLUMN analytics.dunning_recovery.decline_reason IS 'Stripe''s decline code of the last failed attempt.';
COMMENT ON COLUMN analytics.dunning_recovery.episodes IS 'How many episodes there are.';
COMMENT ON COLUMN analytics.dunning_recovery.recovered_episodes IS 'How many of them are recovered.';
COMMENT ON COLUMN analytics.dunning_recovery.at_stake IS 'What was due when they first failed, minor units.';
COMMENT ON COLUMN analytics.dunning_recovery.recovered IS 'What was paid since, minor units.';
COMMENT ON COLUMN analytics.dunning_recovery.remaining IS 'What is still due, minor units.';
COMMENT ON COLUMN analytics.dunning_recovery.recovery_rate IS 'recovered / at_stake, from 0 to 1.';

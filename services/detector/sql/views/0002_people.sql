-- The analysts' views of who is whom. Made anew over the new tables after a swap.

CREATE OR REPLACE VIEW analytics.users WITH (security_invoker = true) AS
SELECT workspace_id, user_id, email, name, since AS first_seen_at, source_topic, source_partition, source_offset
FROM persons
WHERE user_id IS NOT NULL;

COMMENT ON VIEW analytics.users IS 'Users of the product, one row each: everybody whom identify(), track() or another call named by a user id.';
COMMENT ON COLUMN analytics.users.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.users.user_id IS 'The product''s own id.';
COMMENT ON COLUMN analytics.users.email IS 'The e-mail address as last told, in lower case; null if none was.';
COMMENT ON COLUMN analytics.users.name IS 'The name as last told; null if none was.';
COMMENT ON COLUMN analytics.users.first_seen_at IS 'The earliest that was said of the user.';
COMMENT ON COLUMN analytics.users.source_topic IS 'Topic of the record that last changed the row.';
COMMENT ON COLUMN analytics.users.source_partition IS 'Its partition.';
COMMENT ON COLUMN analytics.users.source_offset IS 'Its offset.';

CREATE OR REPLACE VIEW analytics.identity_matches WITH (security_invoker = true) AS
SELECT workspace_id, connection_id, livemode, customer_id, user_id, state, matched_by, effective_at, revision,
       source_topic, source_partition, source_offset
FROM matches;

COMMENT ON VIEW analytics.identity_matches IS 'Which customer of Stripe''s and which user of the product are one person, one row for each two that ever were. Those that are now have the state matched.';
COMMENT ON COLUMN analytics.identity_matches.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.identity_matches.connection_id IS 'The Stripe account in one mode that the customer is of.';
COMMENT ON COLUMN analytics.identity_matches.livemode IS 'Whether the connection is in live mode; test and live never mix.';
COMMENT ON COLUMN analytics.identity_matches.customer_id IS 'Stripe''s id of the customer.';
COMMENT ON COLUMN analytics.identity_matches.user_id IS 'The product''s id of the user.';
COMMENT ON COLUMN analytics.identity_matches.state IS 'matched, or unmatched where they were and are not any more.';
COMMENT ON COLUMN analytics.identity_matches.matched_by IS 'By what: metadata (the customer''s metadata names the user), email (only this customer has the user''s address), hand.';
COMMENT ON COLUMN analytics.identity_matches.effective_at IS 'Matched: since when both had said what they are matched by. Unmatched: when that became known.';
COMMENT ON COLUMN analytics.identity_matches.revision IS 'How often something was published of the two.';
COMMENT ON COLUMN analytics.identity_matches.source_topic IS 'Topic of the record that led to the latest change.';
COMMENT ON COLUMN analytics.identity_matches.source_partition IS 'Its partition.';
COMMENT ON COLUMN analytics.identity_matches.source_offset IS 'Its offset.';

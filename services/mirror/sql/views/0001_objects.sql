-- The analysts' views of Stripe's objects. Made anew over the new tables after a swap.

CREATE OR REPLACE VIEW analytics.customers WITH (security_invoker = true) AS
SELECT workspace_id, connection_id, customer_id, name, email, phone, description, created_at, currency,
       delinquent, balance, country, postal_code, locale, tax_exempt, default_source_id,
       default_payment_method_id, coupon_id, metadata, livemode, deleted, version, observed_at, source_topic,
       source_partition, source_offset
FROM customers;

COMMENT ON VIEW analytics.customers IS 'Customers of the Stripe account, deleted ones included.';
COMMENT ON COLUMN analytics.customers.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.customers.connection_id IS 'The Stripe account in one mode that it comes from.';
COMMENT ON COLUMN analytics.customers.customer_id IS 'Stripe''s id of the customer.';
COMMENT ON COLUMN analytics.customers.name IS 'Name.';
COMMENT ON COLUMN analytics.customers.email IS 'E-mail address, as Stripe has it.';
COMMENT ON COLUMN analytics.customers.phone IS 'Phone number.';
COMMENT ON COLUMN analytics.customers.description IS 'Free text of the company.';
COMMENT ON COLUMN analytics.customers.created_at IS 'When it was created in Stripe.';
COMMENT ON COLUMN analytics.customers.currency IS 'ISO 4217 code in lower case; amounts are in its minor units.';
COMMENT ON COLUMN analytics.customers.delinquent IS 'Stripe''s own flag; not reliable: use invoices.';
COMMENT ON COLUMN analytics.customers.balance IS 'Customer balance in minor units; negative is credit.';
COMMENT ON COLUMN analytics.customers.country IS 'Country of the address, ISO 3166 code.';
COMMENT ON COLUMN analytics.customers.postal_code IS 'Postal code of the address.';
COMMENT ON COLUMN analytics.customers.locale IS 'First preferred locale.';
COMMENT ON COLUMN analytics.customers.tax_exempt IS 'none, exempt or reverse.';
COMMENT ON COLUMN analytics.customers.default_source_id IS 'Default source, if one is set.';
COMMENT ON COLUMN analytics.customers.default_payment_method_id IS 'Default payment method, if one is set.';
COMMENT ON COLUMN analytics.customers.coupon_id IS 'Coupon of the customer''s own discount.';
COMMENT ON COLUMN analytics.customers.metadata IS 'Metadata as a JSON object.';
COMMENT ON COLUMN analytics.customers.livemode IS 'Whether the connection is in live mode; test and live never mix.';
COMMENT ON COLUMN analytics.customers.deleted IS 'Whether the object is gone from Stripe; its columns keep what was last known.';
COMMENT ON COLUMN analytics.customers.version IS 'Version of the observation that the row shows; it only grows.';
COMMENT ON COLUMN analytics.customers.observed_at IS 'When Stripe was asked.';
COMMENT ON COLUMN analytics.customers.source_topic IS 'Topic of the record that the row shows.';
COMMENT ON COLUMN analytics.customers.source_partition IS 'Its partition.';
COMMENT ON COLUMN analytics.customers.source_offset IS 'Its offset.';

CREATE OR REPLACE VIEW analytics.subscriptions WITH (security_invoker = true) AS
SELECT workspace_id, connection_id, subscription_id, customer_id, status, collection_method, currency,
       created_at, started_at, trial_start, trial_end, current_period_start, current_period_end,
       billing_cycle_anchor, cancel_at, cancel_at_period_end, canceled_at, ended_at, cancellation_reason,
       cancellation_feedback, cancellation_comment, pause_behavior, pause_resumes_at, days_until_due,
       default_payment_method_id, latest_invoice_id, price_id, product_id, price_nickname, unit_amount,
       quantity, billing_interval, interval_count, item_count, items, discounts, metadata, livemode, deleted,
       version, observed_at, source_topic, source_partition, source_offset
FROM subscriptions;

COMMENT ON VIEW analytics.subscriptions IS 'Subscriptions, ended ones included.';
COMMENT ON COLUMN analytics.subscriptions.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.subscriptions.connection_id IS 'The Stripe account in one mode that it comes from.';
COMMENT ON COLUMN analytics.subscriptions.subscription_id IS 'Stripe''s id of the subscription.';
COMMENT ON COLUMN analytics.subscriptions.customer_id IS 'Stripe''s id of the customer.';
COMMENT ON COLUMN analytics.subscriptions.status IS 'Status in Stripe; an open enumeration.';
COMMENT ON COLUMN analytics.subscriptions.collection_method IS 'charge_automatically or send_invoice.';
COMMENT ON COLUMN analytics.subscriptions.currency IS 'ISO 4217 code in lower case; amounts are in its minor units.';
COMMENT ON COLUMN analytics.subscriptions.created_at IS 'When it was created in Stripe.';
COMMENT ON COLUMN analytics.subscriptions.started_at IS 'When it started (start_date).';
COMMENT ON COLUMN analytics.subscriptions.trial_start IS 'When its trial began.';
COMMENT ON COLUMN analytics.subscriptions.trial_end IS 'When its trial ends or ended.';
COMMENT ON COLUMN analytics.subscriptions.current_period_start IS 'Start of the current period; the earliest of its items.';
COMMENT ON COLUMN analytics.subscriptions.current_period_end IS 'End of the current period; the latest of its items.';
COMMENT ON COLUMN analytics.subscriptions.billing_cycle_anchor IS 'The instant that its billing periods count from.';
COMMENT ON COLUMN analytics.subscriptions.cancel_at IS 'When it is scheduled to be canceled.';
COMMENT ON COLUMN analytics.subscriptions.cancel_at_period_end IS 'Whether it is to be canceled at the end of the period.';
COMMENT ON COLUMN analytics.subscriptions.canceled_at IS 'When cancelling was asked for.';
COMMENT ON COLUMN analytics.subscriptions.ended_at IS 'When it ended.';
COMMENT ON COLUMN analytics.subscriptions.cancellation_reason IS 'Why, by Stripe: cancellation_requested, payment_failed, payment_disputed.';
COMMENT ON COLUMN analytics.subscriptions.cancellation_feedback IS 'What the customer chose as a reason.';
COMMENT ON COLUMN analytics.subscriptions.cancellation_comment IS 'What the customer wrote.';
COMMENT ON COLUMN analytics.subscriptions.pause_behavior IS 'What happens to its invoices while collection is paused: keep_as_draft, mark_uncollectible, void; null when it is not paused.';
COMMENT ON COLUMN analytics.subscriptions.pause_resumes_at IS 'When collection resumes.';
COMMENT ON COLUMN analytics.subscriptions.days_until_due IS 'Days to pay an invoice that is sent.';
COMMENT ON COLUMN analytics.subscriptions.default_payment_method_id IS 'Default payment method, if one is set.';
COMMENT ON COLUMN analytics.subscriptions.latest_invoice_id IS 'Its most recent invoice.';
COMMENT ON COLUMN analytics.subscriptions.price_id IS 'Price of the first item.';
COMMENT ON COLUMN analytics.subscriptions.product_id IS 'Product of the first item.';
COMMENT ON COLUMN analytics.subscriptions.price_nickname IS 'Nickname of that price, if it has one.';
COMMENT ON COLUMN analytics.subscriptions.unit_amount IS 'Unit amount of the first item in minor units; null where it is tiered or has a fraction.';
COMMENT ON COLUMN analytics.subscriptions.quantity IS 'Quantity of the first item; null where it is metered.';
COMMENT ON COLUMN analytics.subscriptions.billing_interval IS 'day, week, month or year, of the first item.';
COMMENT ON COLUMN analytics.subscriptions.interval_count IS 'Intervals in a period of the first item.';
COMMENT ON COLUMN analytics.subscriptions.item_count IS 'Number of items that the object carries (at most ten).';
COMMENT ON COLUMN analytics.subscriptions.items IS 'All items: [{item_id, price_id, product_id, nickname, quantity, unit_amount, unit_amount_decimal, currency, interval, interval_count, usage_type}].';
COMMENT ON COLUMN analytics.subscriptions.discounts IS 'Discounts: [{discount_id, coupon_id}].';
COMMENT ON COLUMN analytics.subscriptions.metadata IS 'Metadata as a JSON object.';
COMMENT ON COLUMN analytics.subscriptions.livemode IS 'Whether the connection is in live mode; test and live never mix.';
COMMENT ON COLUMN analytics.subscriptions.deleted IS 'Whether the object is gone from Stripe; its columns keep what was last known.';
COMMENT ON COLUMN analytics.subscriptions.version IS 'Version of the observation that the row shows; it only grows.';
COMMENT ON COLUMN analytics.subscriptions.observed_at IS 'When Stripe was asked.';
COMMENT ON COLUMN analytics.subscriptions.source_topic IS 'Topic of the record that the row shows.';
COMMENT ON COLUMN analytics.subscriptions.source_partition IS 'Its partition.';
COMMENT ON COLUMN analytics.subscriptions.source_offset IS 'Its offset.';

CREATE OR REPLACE VIEW analytics.invoices WITH (security_invoker = true) AS
SELECT workspace_id, connection_id, invoice_id, customer_id, subscription_id, number, status, billing_reason,
       collection_method, currency, created_at, period_start, period_end, due_date, finalized_at, paid_at,
       voided_at, marked_uncollectible_at, subtotal, discount_amount, tax_amount, total, starting_balance,
       ending_balance, amount_due, amount_paid, amount_remaining, attempted, attempt_count,
       next_payment_attempt, auto_advance, paid_out_of_band, payment_intent_id, charge_id, customer_name,
       customer_email, hosted_invoice_url, metadata, livemode, deleted, version, observed_at, source_topic,
       source_partition, source_offset
FROM invoices;

COMMENT ON VIEW analytics.invoices IS 'Invoices as Stripe last had them.';
COMMENT ON COLUMN analytics.invoices.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.invoices.connection_id IS 'The Stripe account in one mode that it comes from.';
COMMENT ON COLUMN analytics.invoices.invoice_id IS 'Stripe''s id of the invoice.';
COMMENT ON COLUMN analytics.invoices.customer_id IS 'Stripe''s id of the customer.';
COMMENT ON COLUMN analytics.invoices.subscription_id IS 'Stripe''s id of the subscription.';
COMMENT ON COLUMN analytics.invoices.number IS 'Number that the customer sees.';
COMMENT ON COLUMN analytics.invoices.status IS 'Status in Stripe; an open enumeration.';
COMMENT ON COLUMN analytics.invoices.billing_reason IS 'Why it was made: subscription_create, subscription_cycle, subscription_update, manual, ...';
COMMENT ON COLUMN analytics.invoices.collection_method IS 'charge_automatically or send_invoice.';
COMMENT ON COLUMN analytics.invoices.currency IS 'ISO 4217 code in lower case; amounts are in its minor units.';
COMMENT ON COLUMN analytics.invoices.created_at IS 'When it was created in Stripe.';
COMMENT ON COLUMN analytics.invoices.period_start IS 'Start of the period it was made for.';
COMMENT ON COLUMN analytics.invoices.period_end IS 'End of the period it was made for.';
COMMENT ON COLUMN analytics.invoices.due_date IS 'When it is due, if it is sent.';
COMMENT ON COLUMN analytics.invoices.finalized_at IS 'When it was finalized.';
COMMENT ON COLUMN analytics.invoices.paid_at IS 'When it was paid.';
COMMENT ON COLUMN analytics.invoices.voided_at IS 'When it was voided.';
COMMENT ON COLUMN analytics.invoices.marked_uncollectible_at IS 'When it was written off.';
COMMENT ON COLUMN analytics.invoices.subtotal IS 'Minor units, before discounts and taxes.';
COMMENT ON COLUMN analytics.invoices.discount_amount IS 'Minor units taken off by discounts.';
COMMENT ON COLUMN analytics.invoices.tax_amount IS 'Minor units of tax.';
COMMENT ON COLUMN analytics.invoices.total IS 'Minor units after discounts and taxes.';
COMMENT ON COLUMN analytics.invoices.starting_balance IS 'Customer balance before it, minor units.';
COMMENT ON COLUMN analytics.invoices.ending_balance IS 'Customer balance after it, minor units.';
COMMENT ON COLUMN analytics.invoices.amount_due IS 'Minor units to be paid.';
COMMENT ON COLUMN analytics.invoices.amount_paid IS 'Minor units paid.';
COMMENT ON COLUMN analytics.invoices.amount_remaining IS 'Minor units still to be paid.';
COMMENT ON COLUMN analytics.invoices.attempted IS 'Whether Stripe tried to collect it.';
COMMENT ON COLUMN analytics.invoices.attempt_count IS 'Automatic attempts; after a hard decline it rises without one.';
COMMENT ON COLUMN analytics.invoices.next_payment_attempt IS 'When Stripe tries next; null when no attempt is scheduled.';
COMMENT ON COLUMN analytics.invoices.auto_advance IS 'Whether Stripe collects it by itself.';
COMMENT ON COLUMN analytics.invoices.paid_out_of_band IS 'Whether it was paid outside of Stripe.';
COMMENT ON COLUMN analytics.invoices.payment_intent_id IS 'Stripe''s id of the payment intent.';
COMMENT ON COLUMN analytics.invoices.charge_id IS 'Stripe''s id of the charge.';
COMMENT ON COLUMN analytics.invoices.customer_name IS 'The customer''s name when it was made.';
COMMENT ON COLUMN analytics.invoices.customer_email IS 'The customer''s e-mail address when it was made.';
COMMENT ON COLUMN analytics.invoices.hosted_invoice_url IS 'Where the customer can pay it; carries a token that changes.';
COMMENT ON COLUMN analytics.invoices.metadata IS 'Metadata as a JSON object.';
COMMENT ON COLUMN analytics.invoices.livemode IS 'Whether the connection is in live mode; test and live never mix.';
COMMENT ON COLUMN analytics.invoices.deleted IS 'Whether the object is gone from Stripe; its columns keep what was last known.';
COMMENT ON COLUMN analytics.invoices.version IS 'Version of the observation that the row shows; it only grows.';
COMMENT ON COLUMN analytics.invoices.observed_at IS 'When Stripe was asked.';
COMMENT ON COLUMN analytics.invoices.source_topic IS 'Topic of the record that the row shows.';
COMMENT ON COLUMN analytics.invoices.source_partition IS 'Its partition.';
COMMENT ON COLUMN analytics.invoices.source_offset IS 'Its offset.';

CREATE OR REPLACE VIEW analytics.charges WITH (security_invoker = true) AS
SELECT workspace_id, connection_id, charge_id, customer_id, payment_intent_id, invoice_id, status, amount,
       amount_captured, amount_refunded, currency, created_at, paid, captured, refunded, disputed,
       failure_code, failure_message, decline_code, outcome_type, network_status, network_decline_code,
       advice_code, risk_level, payment_method_id, payment_method_type, card_brand, card_last4,
       card_exp_month, card_exp_year, card_country, card_funding, billing_country, description, metadata,
       livemode, deleted, version, observed_at, source_topic, source_partition, source_offset
FROM charges;

COMMENT ON VIEW analytics.charges IS 'Charges: every attempt to collect, failed ones included.';
COMMENT ON COLUMN analytics.charges.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.charges.connection_id IS 'The Stripe account in one mode that it comes from.';
COMMENT ON COLUMN analytics.charges.charge_id IS 'Stripe''s id of the charge.';
COMMENT ON COLUMN analytics.charges.customer_id IS 'Stripe''s id of the customer.';
COMMENT ON COLUMN analytics.charges.payment_intent_id IS 'Stripe''s id of the payment intent.';
COMMENT ON COLUMN analytics.charges.invoice_id IS 'Stripe''s id of the invoice.';
COMMENT ON COLUMN analytics.charges.status IS 'Status in Stripe; an open enumeration.';
COMMENT ON COLUMN analytics.charges.amount IS 'Minor units.';
COMMENT ON COLUMN analytics.charges.amount_captured IS 'Minor units captured.';
COMMENT ON COLUMN analytics.charges.amount_refunded IS 'Minor units given back.';
COMMENT ON COLUMN analytics.charges.currency IS 'ISO 4217 code in lower case; amounts are in its minor units.';
COMMENT ON COLUMN analytics.charges.created_at IS 'When it was created in Stripe.';
COMMENT ON COLUMN analytics.charges.paid IS 'Whether it succeeded.';
COMMENT ON COLUMN analytics.charges.captured IS 'Whether it was captured.';
COMMENT ON COLUMN analytics.charges.refunded IS 'Whether it was refunded in full.';
COMMENT ON COLUMN analytics.charges.disputed IS 'Whether it was disputed.';
COMMENT ON COLUMN analytics.charges.failure_code IS 'Error code; mostly just card_declined.';
COMMENT ON COLUMN analytics.charges.failure_message IS 'Stripe''s message.';
COMMENT ON COLUMN analytics.charges.decline_code IS 'Why it failed: insufficient_funds, lost_card, ...';
COMMENT ON COLUMN analytics.charges.outcome_type IS 'authorized, issuer_declined, blocked, invalid, ...';
COMMENT ON COLUMN analytics.charges.network_status IS 'What the card network answered.';
COMMENT ON COLUMN analytics.charges.network_decline_code IS 'The card network''s own code.';
COMMENT ON COLUMN analytics.charges.advice_code IS 'What the issuer advises: confirm_card_data, do_not_try_again, try_again_later.';
COMMENT ON COLUMN analytics.charges.risk_level IS 'normal, elevated, highest, ...';
COMMENT ON COLUMN analytics.charges.payment_method_id IS 'Payment method it was made with.';
COMMENT ON COLUMN analytics.charges.payment_method_type IS 'card, sepa_debit, us_bank_account, ...';
COMMENT ON COLUMN analytics.charges.card_brand IS 'visa, mastercard, ...';
COMMENT ON COLUMN analytics.charges.card_last4 IS 'Last four digits.';
COMMENT ON COLUMN analytics.charges.card_exp_month IS 'Month it expires.';
COMMENT ON COLUMN analytics.charges.card_exp_year IS 'Year it expires.';
COMMENT ON COLUMN analytics.charges.card_country IS 'Country of its issuer.';
COMMENT ON COLUMN analytics.charges.card_funding IS 'credit, debit, prepaid.';
COMMENT ON COLUMN analytics.charges.billing_country IS 'Country of the billing address.';
COMMENT ON COLUMN analytics.charges.description IS 'Free text of the company.';
COMMENT ON COLUMN analytics.charges.metadata IS 'Metadata as a JSON object.';
COMMENT ON COLUMN analytics.charges.livemode IS 'Whether the connection is in live mode; test and live never mix.';
COMMENT ON COLUMN analytics.charges.deleted IS 'Whether the object is gone from Stripe; its columns keep what was last known.';
COMMENT ON COLUMN analytics.charges.version IS 'Version of the observation that the row shows; it only grows.';
COMMENT ON COLUMN analytics.charges.observed_at IS 'When Stripe was asked.';
COMMENT ON COLUMN analytics.charges.source_topic IS 'Topic of the record that the row shows.';
COMMENT ON COLUMN analytics.charges.source_partition IS 'Its partition.';
COMMENT ON COLUMN analytics.charges.source_offset IS 'Its offset.';

CREATE OR REPLACE VIEW analytics.payment_intents WITH (security_invoker = true) AS
SELECT workspace_id, connection_id, payment_intent_id, customer_id, invoice_id, status, amount,
       amount_received, currency, created_at, canceled_at, cancellation_reason, latest_charge_id,
       payment_method_id, error_code, metadata, livemode, deleted, version, observed_at, source_topic,
       source_partition, source_offset
FROM payment_intents;

COMMENT ON VIEW analytics.payment_intents IS 'Payment intents.';
COMMENT ON COLUMN analytics.payment_intents.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.payment_intents.connection_id IS 'The Stripe account in one mode that it comes from.';
COMMENT ON COLUMN analytics.payment_intents.payment_intent_id IS 'Stripe''s id of the payment intent.';
COMMENT ON COLUMN analytics.payment_intents.customer_id IS 'Stripe''s id of the customer.';
COMMENT ON COLUMN analytics.payment_intents.invoice_id IS 'Stripe''s id of the invoice.';
COMMENT ON COLUMN analytics.payment_intents.status IS 'Status in Stripe; an open enumeration.';
COMMENT ON COLUMN analytics.payment_intents.amount IS 'Minor units.';
COMMENT ON COLUMN analytics.payment_intents.amount_received IS 'Minor units received.';
COMMENT ON COLUMN analytics.payment_intents.currency IS 'ISO 4217 code in lower case; amounts are in its minor units.';
COMMENT ON COLUMN analytics.payment_intents.created_at IS 'When it was created in Stripe.';
COMMENT ON COLUMN analytics.payment_intents.canceled_at IS 'When it was canceled.';
COMMENT ON COLUMN analytics.payment_intents.cancellation_reason IS 'Why it was canceled.';
COMMENT ON COLUMN analytics.payment_intents.latest_charge_id IS 'Its most recent attempt.';
COMMENT ON COLUMN analytics.payment_intents.payment_method_id IS 'Payment method it was made with.';
COMMENT ON COLUMN analytics.payment_intents.error_code IS 'Why the last attempt failed; Stripe clears it later.';
COMMENT ON COLUMN analytics.payment_intents.metadata IS 'Metadata as a JSON object.';
COMMENT ON COLUMN analytics.payment_intents.livemode IS 'Whether the connection is in live mode; test and live never mix.';
COMMENT ON COLUMN analytics.payment_intents.deleted IS 'Whether the object is gone from Stripe; its columns keep what was last known.';
COMMENT ON COLUMN analytics.payment_intents.version IS 'Version of the observation that the row shows; it only grows.';
COMMENT ON COLUMN analytics.payment_intents.observed_at IS 'When Stripe was asked.';
COMMENT ON COLUMN analytics.payment_intents.source_topic IS 'Topic of the record that the row shows.';
COMMENT ON COLUMN analytics.payment_intents.source_partition IS 'Its partition.';
COMMENT ON COLUMN analytics.payment_intents.source_offset IS 'Its offset.';

CREATE OR REPLACE VIEW analytics.disputes WITH (security_invoker = true) AS
SELECT workspace_id, connection_id, dispute_id, customer_id, charge_id, payment_intent_id, status, reason,
       amount, currency, created_at, evidence_due_by, is_charge_refundable, metadata, livemode, deleted,
       version, observed_at, source_topic, source_partition, source_offset
FROM disputes;

COMMENT ON VIEW analytics.disputes IS 'Disputes; empty where the key may not read them.';
COMMENT ON COLUMN analytics.disputes.workspace_id IS 'The company that sees it.';
COMMENT ON COLUMN analytics.disputes.connection_id IS 'The Stripe account in one mode that it comes from.';
COMMENT ON COLUMN analytics.disputes.dispute_id IS 'Stripe''s id of the dispute.';
COMMENT ON COLUMN analytics.disputes.customer_id IS 'Stripe''s id of the customer.';
COMMENT ON COLUMN analytics.disputes.charge_id IS 'Stripe''s id of the charge.';
COMMENT ON COLUMN analytics.disputes.payment_intent_id IS 'Stripe''s id of the payment intent.';
COMMENT ON COLUMN analytics.disputes.status IS 'Status in Stripe; an open enumeration.';
COMMENT ON COLUMN analytics.disputes.reason IS 'Why the cardholder disputes it.';
COMMENT ON COLUMN analytics.disputes.amount IS 'Minor units.';
COMMENT ON COLUMN analytics.disputes.currency IS 'ISO 4217 code in lower case; amounts are in its minor units.';
COMMENT ON COLUMN analytics.disputes.created_at IS 'When it was created in Stripe.';
COMMENT ON COLUMN analytics.disputes.evidence_due_by IS 'When evidence is due.';
COMMENT ON COLUMN analytics.disputes.is_charge_refundable IS 'Whether it can still be refunded instead.';
COMMENT ON COLUMN analytics.disputes.metadata IS 'Metadata as a JSON object.';
COMMENT ON COLUMN analytics.disputes.livemode IS 'Whether the connection is in live mode; test and live never mix.';
COMMENT ON COLUMN analytics.disputes.deleted IS 'Whether the object is gone from Stripe; its columns keep what was last known.';
COMMENT ON COLUMN analytics.disputes.version IS 'Version of the observation that the row shows; it only grows.';
COMMENT ON COLUMN analytics.disputes.observed_at IS 'When Stripe was asked.';
COMMENT ON COLUMN analytics.disputes.source_topic IS 'Topic of the record that the row shows.';
COMMENT ON COLUMN analytics.disputes.source_partition IS 'Its partition.';
COMMENT ON COLUMN analytics.disputes.source_offset IS 'Its offset.';

-- A Stripe-compatible server may live in a time of its own. What is observed there is dated by it.

ALTER TABLE connections ADD COLUMN clock_offset bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN connections.clock_offset IS 'Seconds from our clock to the server''s; 0 for Stripe.';
ALTER TABLE connection_status ADD COLUMN clock_offset bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN connection_status.clock_offset IS 'Seconds from our clock to the server''s; 0 for Stripe.';

-- What a customer pays for, which may change without its MRR: a swap of plans at one price is no movement.

CREATE OR REPLACE VIEW analytics.mrr_by_customer WITH (security_invoker = true) AS
SELECT workspace_id, connection_id, customer_id, currency, mrr, basis, unvalued, first_at, since, prices, quantities, amounts
FROM balances
WHERE mrr > 0 OR unvalued > 0 OR first_at IS NOT NULL;

COMMENT ON COLUMN analytics.mrr_by_customer.unvalued IS 'Items that could not be valued, or only with a discount or a tax left in that cannot be read; 0 as a rule.';
COMMENT ON COLUMN analytics.mrr_by_customer.prices IS 'Stripe''s ids of the prices that the MRR is of, each once; mrr_by_plan has what they are called.';
COMMENT ON COLUMN analytics.mrr_by_customer.quantities IS 'In the order of prices: the quantity of their items.';
COMMENT ON COLUMN analytics.mrr_by_customer.amounts IS 'In the order of prices: their shares of mrr, which add up to it.';

-- Rates of exchange, which the operator loads. They come from nowhere in the log, so they stand beside the schema, like
-- whatever a swap must not replace; a shadow goes without.
DO $$
DECLARE
    io text := current_schema() || '_io';
BEGIN
    IF to_regnamespace(quote_ident(io)) IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I.rates (
        workspace_id text NOT NULL,
        reporting    text NOT NULL,
        currency     text NOT NULL,
        valid_from   date NOT NULL,
        rate         numeric NOT NULL CHECK (rate > 0),
        factor       numeric NOT NULL CHECK (factor > 0),
        loaded_at    timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, reporting, currency, valid_from)
    )', io);
    EXECUTE format('COMMENT ON TABLE %I.rates IS ''Rates of exchange as the operator loaded them: one unit of currency is so many of reporting, from that day on.''', io);
    EXECUTE format('COMMENT ON COLUMN %I.rates.factor IS ''The same between minor units, exactly: what an amount is multiplied by.''', io);
END $$;

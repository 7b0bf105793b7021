-- What people did about a dead letter. Beside the schema, like the dead letters themselves; a shadow has none.
DO $$
DECLARE
    io text := current_schema() || '_io';
BEGIN
    IF to_regnamespace(quote_ident(io)) IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format('ALTER TABLE %I.dead_letters
        ADD COLUMN replayed_at timestamptz,
        ADD COLUMN dropped_at  timestamptz,
        ADD COLUMN decided_by  text,
        ADD COLUMN why         text,
        ADD CHECK (dropped_at IS NULL OR (decided_by IS NOT NULL AND why IS NOT NULL))', io);
    EXECUTE format('COMMENT ON COLUMN %I.dead_letters.replayed_at IS ''When it was last sent back through the retry topic; null again where it came back (machine time).''', io);
    EXECUTE format('COMMENT ON COLUMN %I.dead_letters.dropped_at IS ''When somebody decided to go without it (machine time).''', io);
END $$;

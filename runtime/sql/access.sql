-- How `analytics` is read. Made anew at every migration, as the database's owner; see runtime/access.py.

CREATE OR REPLACE FUNCTION analytics.workspaces() RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
    SELECT coalesce(array_agg(substr(rolname::text, length('dropfix_analyst_') + 1)), '{}')
    FROM pg_roles
    WHERE starts_with(rolname::text, 'dropfix_analyst_') AND pg_has_role(current_user, oid, 'USAGE')
$$;
COMMENT ON FUNCTION analytics.workspaces() IS 'The workspaces that an analyst may see: those whose role it is, or is a member of.';

-- A service calls it for the views that it owns. What is in place already is left alone, so that an upgrade waits
-- for nobody.
CREATE OR REPLACE FUNCTION analytics.publish() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    mine   regclass[];
    object record;
BEGIN
    SELECT array_agg(oid::regclass) INTO mine FROM pg_class
    WHERE relnamespace = 'analytics'::regnamespace AND relkind = 'v' AND relowner = current_user::regrole;

    FOR object IN
        SELECT oid::regclass AS name FROM pg_class
        WHERE oid = ANY (mine) AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)
    LOOP
        EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', object.name);
    END LOOP;

    FOR object IN
        SELECT c.oid::regclass AS name, c.relkind = 'r' AND NOT c.relrowsecurity AS is_unsecured,
               EXISTS (SELECT FROM pg_attribute a
                       WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped) AS is_of_workspaces,
               NOT (has_table_privilege('dropfix_reader', c.oid, 'SELECT')
                    AND has_table_privilege('dropfix_analyst', c.oid, 'SELECT')) AS is_closed
        FROM pg_class c
        WHERE c.oid = ANY (mine) OR c.relkind = 'r' AND c.oid IN (
            SELECT d.refobjid FROM pg_rewrite r
            JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
            WHERE r.ev_class = ANY (mine) AND d.refclassid = 'pg_class'::regclass)
    LOOP
        IF object.is_unsecured AND object.is_of_workspaces THEN
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', object.name);
            EXECUTE format('CREATE POLICY every_workspace ON %s FOR SELECT TO dropfix_reader USING (true)', object.name);
            EXECUTE format('CREATE POLICY own_workspaces ON %s FOR SELECT TO dropfix_analyst
                USING (workspace_id = ANY ((SELECT analytics.workspaces())::text[]))', object.name);
        END IF;
        IF object.is_closed THEN
            EXECUTE format('GRANT SELECT ON %s TO dropfix_reader, dropfix_analyst', object.name);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION analytics.publish() IS 'Opens the caller''s views to readers, and secures the rows of the tables beneath them by workspace.';

-- A key may be handed to another connection while it is being sealed anew: only the seal that was read is replaced.

DROP FUNCTION reseal_connection(text, bytea, text);

CREATE FUNCTION reseal_connection(id text, was bytea, resealed bytea, sealed_to_key_id text) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH changed AS (
        UPDATE connections SET sealed_key = resealed, key_id = sealed_to_key_id
        WHERE connection_id = id AND state = 'submitted' AND sealed_key = was RETURNING 1
    ) SELECT EXISTS (SELECT FROM changed)
$$;

REVOKE EXECUTE ON FUNCTION reseal_connection(text, bytea, bytea, text) FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'dropfix_poller') THEN
        GRANT EXECUTE ON FUNCTION reseal_connection(text, bytea, bytea, text) TO dropfix_poller;
    END IF;
END $$;

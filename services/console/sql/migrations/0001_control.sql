-- Who may use the console, which Stripe accounts are connected, and what people decided.
-- Times are timestamptz; sessions and links go by the machine's time, decisions by domain time.

CREATE TABLE workspaces (
    workspace_id text PRIMARY KEY,
    name         text NOT NULL,
    created_at   timestamptz NOT NULL
);
COMMENT ON TABLE workspaces IS 'One row per company.';

CREATE TABLE members (
    member_id     text PRIMARY KEY,
    workspace_id  text NOT NULL REFERENCES workspaces,
    email         text NOT NULL CHECK (email = lower(email)),
    password_hash text NOT NULL,
    created_at    timestamptz NOT NULL
);
CREATE UNIQUE INDEX members_email ON members (email);
COMMENT ON COLUMN members.password_hash IS 'argon2id, with its parameters and salt.';

CREATE TABLE sessions (
    token_hash   bytea PRIMARY KEY,
    workspace_id text NOT NULL REFERENCES workspaces,
    member_id    text NOT NULL REFERENCES members,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expires_at);
COMMENT ON COLUMN sessions.token_hash IS 'SHA-256 of a random token that only the browser''s cookie holds.';

CREATE TABLE links (
    token_hash   bytea PRIMARY KEY,
    purpose      text NOT NULL CHECK (purpose IN ('first_run', 'sign_in')),
    workspace_id text REFERENCES workspaces,
    member_id    text REFERENCES members,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    CHECK ((purpose = 'sign_in') = (member_id IS NOT NULL))
);
COMMENT ON TABLE links IS 'Links that work once: the row is deleted when the link is used.';

CREATE TABLE write_keys (
    write_key_id text PRIMARY KEY,
    key_hash     bytea NOT NULL UNIQUE,
    workspace_id text NOT NULL REFERENCES workspaces,
    hint         text NOT NULL,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
CREATE INDEX write_keys_workspace ON write_keys (workspace_id);

CREATE TABLE connections (
    connection_id    text PRIMARY KEY,
    workspace_id     text NOT NULL REFERENCES workspaces,
    sealed_key       bytea,
    key_id           text NOT NULL,
    key_kind         text NOT NULL CHECK (key_kind IN ('restricted', 'secret')),
    key_hint         text NOT NULL,
    livemode_claimed boolean NOT NULL,
    api_base         text,
    state            text NOT NULL CHECK (state IN ('submitted', 'ended', 'retired')),
    adopted_by       text REFERENCES connections,
    submitted_at     timestamptz NOT NULL,
    ended_at         timestamptz,
    CHECK (state = 'submitted' OR sealed_key IS NULL),
    CHECK ((state = 'retired') = (adopted_by IS NOT NULL))
);
CREATE INDEX connections_workspace ON connections (workspace_id);
COMMENT ON TABLE connections IS 'One row per Stripe key that was submitted, sealed to the poller, which alone can open it.';
COMMENT ON COLUMN connections.sealed_key IS 'Null once the connection ended or its key was handed to another.';
COMMENT ON COLUMN connections.key_id IS 'Which public key of the vault it is sealed to.';
COMMENT ON COLUMN connections.key_hint IS 'The key''s prefix and last four characters, for people to tell keys apart.';
COMMENT ON COLUMN connections.livemode_claimed IS 'By the key''s prefix; what Stripe says is in poller.connection_status.';
COMMENT ON COLUMN connections.api_base IS 'Where this account''s Stripe is; null: where the poller''s settings say.';

CREATE TABLE secrets (
    secret_id    text PRIMARY KEY,
    workspace_id text NOT NULL REFERENCES workspaces,
    name         text NOT NULL,
    sealed_to    text NOT NULL,
    sealed       bytea NOT NULL,
    key_id       text NOT NULL,
    created_at   timestamptz NOT NULL,
    UNIQUE (workspace_id, name)
);
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY secrets_of_role ON secrets FOR SELECT USING (sealed_to = current_user);
COMMENT ON TABLE secrets IS 'Secrets other than Stripe keys; a role sees only the rows that are sealed to it.';
COMMENT ON COLUMN secrets.sealed_to IS 'The PostgreSQL role of the service that holds the private key.';

CREATE TABLE decisions (
    decision_id   text PRIMARY KEY,
    workspace_id  text NOT NULL REFERENCES workspaces,
    connection_id text,
    kind          text NOT NULL,
    detail        jsonb NOT NULL,
    decided_by    text NOT NULL,
    why           text,
    decided_at    timestamptz NOT NULL,
    effective_at  timestamptz NOT NULL
);
CREATE INDEX decisions_workspace ON decisions (workspace_id, effective_at);
COMMENT ON TABLE decisions IS 'The image of control.decision.v1: what was written to the topic, in the same transaction.';

-- Whoever waits for a connection hears of it the moment it is committed.
CREATE FUNCTION tell_connections() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('dropfix_connections', NEW.connection_id);
    PERFORM pg_notify('dropfix', 'console');
    RETURN NULL;
END $$;
CREATE TRIGGER connections_told AFTER INSERT OR UPDATE ON connections
    FOR EACH ROW EXECUTE FUNCTION tell_connections();

-- The poller found that the account behind a new key is already watched by the same workspace: the key goes to the
-- connection that is there, sealed anew (it is bound to its connection), and the new id is retired.
-- False where that cannot be: another workspace, or one of the two ended meanwhile.
CREATE FUNCTION adopt_connection(new_id text, old_id text, resealed bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    incoming connections;
    present  connections;
BEGIN
    PERFORM 1 FROM connections WHERE connection_id IN (new_id, old_id) ORDER BY connection_id FOR UPDATE;
    SELECT * INTO incoming FROM connections WHERE connection_id = new_id;
    SELECT * INTO present FROM connections WHERE connection_id = old_id;
    IF new_id = old_id OR incoming.state IS DISTINCT FROM 'submitted' OR present.state IS DISTINCT FROM 'submitted'
        OR incoming.workspace_id <> present.workspace_id THEN
        RETURN false;
    END IF;
    UPDATE connections SET sealed_key = resealed, key_id = incoming.key_id, key_kind = incoming.key_kind,
        key_hint = incoming.key_hint, submitted_at = incoming.submitted_at
        WHERE connection_id = old_id;
    UPDATE connections SET sealed_key = NULL, state = 'retired', adopted_by = old_id, ended_at = now()
        WHERE connection_id = new_id;
    RETURN true;
END $$;

-- Rotation of the vault's key: the same Stripe key, sealed to a newer public key. Nothing but the seal can change.
CREATE FUNCTION reseal_connection(id text, resealed bytea, sealed_to_key_id text) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH changed AS (
        UPDATE connections SET sealed_key = resealed, key_id = sealed_to_key_id
        WHERE connection_id = id AND state = 'submitted' RETURNING 1
    ) SELECT EXISTS (SELECT FROM changed)
$$;

REVOKE EXECUTE ON FUNCTION adopt_connection(text, text, bytea), reseal_connection(text, bytea, text) FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'dropfix_poller') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO dropfix_poller', current_schema());
        GRANT SELECT ON connections, secrets TO dropfix_poller;
        GRANT EXECUTE ON FUNCTION adopt_connection(text, text, bytea), reseal_connection(text, bytea, text)
            TO dropfix_poller;
    END IF;
END $$;

-- All migrations added up. A test compares; change the migrations, then this.

CREATE TABLE database_server_loads (
    database_server_id text NOT NULL,
    databases integer NOT NULL,
    PRIMARY KEY (database_server_id),
    FOREIGN KEY (database_server_id) REFERENCES database_servers(id)
);

CREATE TABLE database_servers (
    id text NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    epoch bigint NOT NULL,
    attempts integer NOT NULL,
    next_attempt_at timestamp with time zone,
    claimed_until timestamp with time zone,
    claimed_by text,
    state_since timestamp with time zone NOT NULL,
    waiting_for text,
    last_error_code text,
    last_error text,
    last_error_fault text,
    create_time timestamp with time zone NOT NULL,
    update_time timestamp with time zone NOT NULL,
    display_name text NOT NULL,
    host text NOT NULL,
    port integer NOT NULL,
    admin_user text NOT NULL,
    admin_password text NOT NULL,
    ssl_mode text NOT NULL,
    max_databases integer NOT NULL,
    weight integer NOT NULL,
    allow_databases boolean NOT NULL,
    server_version text NOT NULL,
    reachable boolean NOT NULL,
    unreachable_reason text NOT NULL,
    open_databases text NOT NULL,
    looked_at timestamp with time zone,
    cause_request_id text,
    cause_traceparent text,
    left_behind text[] NOT NULL DEFAULT '{}'::text[],
    PRIMARY KEY (id),
    CHECK ((max_databases > 0)),
    CHECK ((weight > 0))
);
CREATE UNIQUE INDEX database_servers_address ON database_servers USING btree (lower(host), port) WHERE (state <> 'deleted'::text);
CREATE INDEX database_servers_by_age ON database_servers USING btree (create_time, id);
CREATE UNIQUE INDEX database_servers_display_name ON database_servers USING btree (lower(display_name)) WHERE (state <> 'deleted'::text);
CREATE INDEX database_servers_due ON database_servers USING btree (next_attempt_at) WHERE (next_attempt_at IS NOT NULL);

CREATE TABLE installation_epochs (
    installation_id text NOT NULL,
    epoch bigint NOT NULL,
    PRIMARY KEY (installation_id)
);

CREATE TABLE logical_databases (
    id text NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    epoch bigint NOT NULL,
    attempts integer NOT NULL,
    next_attempt_at timestamp with time zone,
    claimed_until timestamp with time zone,
    claimed_by text,
    state_since timestamp with time zone NOT NULL,
    waiting_for text,
    last_error_code text,
    last_error text,
    last_error_fault text,
    create_time timestamp with time zone NOT NULL,
    update_time timestamp with time zone NOT NULL,
    installation_id text NOT NULL,
    database_server_id text NOT NULL,
    connection_limit integer NOT NULL,
    holder_epoch bigint NOT NULL,
    credentials_issued_at timestamp with time zone,
    looked_at timestamp with time zone,
    cause_request_id text,
    cause_traceparent text,
    begun boolean NOT NULL DEFAULT false,
    PRIMARY KEY (id),
    FOREIGN KEY (database_server_id) REFERENCES database_servers(id),
    CHECK ((connection_limit > 0))
);
CREATE INDEX logical_databases_by_age ON logical_databases USING btree (create_time, id);
CREATE INDEX logical_databases_due ON logical_databases USING btree (next_attempt_at) WHERE (next_attempt_at IS NOT NULL);
CREATE UNIQUE INDEX logical_databases_installation ON logical_databases USING btree (installation_id) WHERE (state <> 'deleted'::text);
CREATE INDEX logical_databases_live_age ON logical_databases USING btree (create_time, id) WHERE (state <> 'deleted'::text);
CREATE INDEX logical_databases_of_installation ON logical_databases USING btree (installation_id);
CREATE INDEX logical_databases_on_server ON logical_databases USING btree (database_server_id, create_time, id) WHERE (state <> 'deleted'::text);
CREATE INDEX logical_databases_state ON logical_databases USING btree (state, create_time, id);
CREATE TRIGGER keep_loads AFTER INSERT OR DELETE ON logical_databases FOR EACH ROW EXECUTE FUNCTION keep_loads();
CREATE TRIGGER keep_loads_of_moved AFTER UPDATE ON logical_databases FOR EACH ROW WHEN ((((old.state = 'deleted'::text) <> (new.state = 'deleted'::text)) OR (old.database_server_id <> new.database_server_id))) EXECUTE FUNCTION keep_loads();

CREATE TABLE room_requests (
    installation_id text NOT NULL,
    first_refused_at timestamp with time zone NOT NULL,
    last_refused_at timestamp with time zone NOT NULL,
    told_at timestamp with time zone NOT NULL DEFAULT '-infinity'::timestamp with time zone,
    PRIMARY KEY (installation_id)
);
CREATE INDEX room_requests_by_age ON room_requests USING btree (last_refused_at);
CREATE INDEX room_requests_in_turn ON room_requests USING btree (told_at, first_refused_at);

CREATE OR REPLACE FUNCTION keep_loads()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'database_pool'
AS $function$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.state <> 'deleted' THEN
        UPDATE database_server_loads SET databases = databases - 1 WHERE database_server_id = OLD.database_server_id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.state <> 'deleted' THEN
        INSERT INTO database_server_loads AS kept (database_server_id, databases) VALUES (NEW.database_server_id, 1)
        ON CONFLICT (database_server_id) DO UPDATE SET databases = kept.databases + 1;
    END IF;
    RETURN NULL;
END $function$
;

CREATE TABLE database_servers (
    id                 text PRIMARY KEY,
    state              text NOT NULL,
    version            bigint NOT NULL,
    epoch              bigint NOT NULL,
    attempts           integer NOT NULL,
    next_attempt_at    timestamptz,
    claimed_until      timestamptz,
    claimed_by         text,
    state_since        timestamptz NOT NULL,
    waiting_for        text,
    last_error_code    text,
    last_error         text,
    last_error_fault   text,
    create_time        timestamptz NOT NULL,
    update_time        timestamptz NOT NULL,
    display_name       text NOT NULL,
    host               text NOT NULL,
    port               integer NOT NULL,
    admin_user         text NOT NULL,
    admin_password     text NOT NULL,
    ssl_mode           text NOT NULL,
    max_databases      integer NOT NULL CHECK (max_databases > 0),
    weight             integer NOT NULL CHECK (weight > 0),
    allow_databases    boolean NOT NULL,
    server_version     text NOT NULL,
    reachable          boolean NOT NULL,
    unreachable_reason text NOT NULL,
    open_databases     text NOT NULL
);

COMMENT ON COLUMN database_servers.admin_password IS 'encrypted with the keys of this service';

CREATE INDEX database_servers_due ON database_servers (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX database_servers_by_age ON database_servers (create_time, id);
CREATE UNIQUE INDEX database_servers_display_name ON database_servers (lower(display_name)) WHERE state <> 'deleted';
CREATE UNIQUE INDEX database_servers_address ON database_servers (lower(host), port) WHERE state <> 'deleted';

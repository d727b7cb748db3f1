CREATE TABLE logical_databases (
    id                    text PRIMARY KEY,
    state                 text NOT NULL,
    version               bigint NOT NULL,
    epoch                 bigint NOT NULL,
    attempts              integer NOT NULL,
    next_attempt_at       timestamptz,
    claimed_until         timestamptz,
    claimed_by            text,
    state_since           timestamptz NOT NULL,
    waiting_for           text,
    last_error_code       text,
    last_error            text,
    last_error_fault      text,
    create_time           timestamptz NOT NULL,
    update_time           timestamptz NOT NULL,
    installation_id       text NOT NULL,
    database_server_id    text NOT NULL REFERENCES database_servers (id),
    connection_limit      integer NOT NULL CHECK (connection_limit > 0),
    holder_epoch          bigint NOT NULL,
    credentials_issued_at timestamptz
);

CREATE INDEX logical_databases_due ON logical_databases (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX logical_databases_by_age ON logical_databases (create_time, id);
CREATE INDEX logical_databases_of_installation ON logical_databases (installation_id);

-- One live database per installation: what makes creation idempotent.
CREATE UNIQUE INDEX logical_databases_installation ON logical_databases (installation_id) WHERE state <> 'deleted';

-- The slots of a server are these rows; there is no counter that could drift from them.
CREATE INDEX logical_databases_on_server ON logical_databases (database_server_id) WHERE state <> 'deleted';

-- The highest epoch of an installation that has asked for anything, also when its databases are long gone. Apart from the
-- database's row: an asker with a new epoch must not take the row away from the step that works on it.
CREATE TABLE installation_epochs (
    installation_id text PRIMARY KEY,
    epoch           bigint NOT NULL
);

-- Installations that were refused for want of room, oldest first: told when there is room again.
CREATE TABLE room_requests (
    installation_id  text PRIMARY KEY,
    first_refused_at timestamptz NOT NULL,
    last_refused_at  timestamptz NOT NULL
);

CREATE INDEX room_requests_by_age ON room_requests (first_refused_at);

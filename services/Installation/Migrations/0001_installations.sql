-- Customers' copies of the application. A deleted one keeps its row.
CREATE TABLE installations (
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

    owner_id              text NOT NULL,
    dns_names             text[] NOT NULL,
    application_version   text NOT NULL,
    image                 text NOT NULL,
    size                  text NOT NULL,
    affinity              text NOT NULL,
    mattermost_env        jsonb NOT NULL,
    cluster               text,
    cluster_installation  text,
    logical_database      text,
    deletion_pending_time interval,
    purge_time            timestamptz,
    create_time           timestamptz NOT NULL,
    update_time           timestamptz NOT NULL,
    delete_time           timestamptz
);

CREATE INDEX installations_due ON installations (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX installations_age ON installations (create_time, id);
CREATE INDEX installations_owner ON installations (owner_id);
CREATE INDEX installations_state ON installations (state);
CREATE INDEX installations_cluster ON installations (cluster);

-- Who has which host name. The unique index is what makes a name one installation's; names of deleted installations are
-- kept, released, so that they can still be found by them.
CREATE TABLE installation_names (
    host            text NOT NULL,
    label           text NOT NULL GENERATED ALWAYS AS (split_part(host, '.', 1)) STORED,
    installation_id text NOT NULL REFERENCES installations (id),
    released_at     timestamptz
);

CREATE UNIQUE INDEX installation_names_taken ON installation_names (host) WHERE released_at IS NULL;
CREATE INDEX installation_names_host ON installation_names (host);
CREATE INDEX installation_names_label ON installation_names (label);
CREATE INDEX installation_names_installation ON installation_names (installation_id);

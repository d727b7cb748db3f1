-- All migrations added up. A test compares; change the migrations, then this.

CREATE TABLE installation_names (
    host text NOT NULL,
    label text NOT NULL GENERATED ALWAYS AS split_part(host, '.'::text, 1) STORED,
    installation_id text NOT NULL,
    released_at timestamp with time zone,
    FOREIGN KEY (installation_id) REFERENCES installations(id)
);
CREATE INDEX installation_names_host ON installation_names USING btree (host);
CREATE INDEX installation_names_installation ON installation_names USING btree (installation_id);
CREATE INDEX installation_names_label ON installation_names USING btree (label);
CREATE UNIQUE INDEX installation_names_taken ON installation_names USING btree (host) WHERE (released_at IS NULL);

CREATE TABLE installations (
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
    owner_id text NOT NULL,
    dns_names text[] NOT NULL,
    application_version text NOT NULL,
    image text NOT NULL,
    size text NOT NULL,
    affinity text NOT NULL,
    mattermost_env jsonb NOT NULL,
    cluster text,
    cluster_installation text,
    logical_database text,
    deletion_pending_time interval,
    purge_time timestamp with time zone,
    create_time timestamp with time zone NOT NULL,
    update_time timestamp with time zone NOT NULL,
    delete_time timestamp with time zone,
    looked_at timestamp with time zone,
    cause_request_id text,
    cause_traceparent text,
    PRIMARY KEY (id)
);
CREATE INDEX installations_age ON installations USING btree (create_time, id);
CREATE INDEX installations_cluster ON installations USING btree (cluster, create_time, id);
CREATE INDEX installations_due ON installations USING btree (next_attempt_at) WHERE (next_attempt_at IS NOT NULL);
CREATE INDEX installations_live_age ON installations USING btree (create_time, id) WHERE (state <> 'deleted'::text);
CREATE INDEX installations_owner ON installations USING btree (owner_id, create_time, id);
CREATE INDEX installations_size ON installations USING btree (size, create_time, id) WHERE (state <> 'deleted'::text);
CREATE INDEX installations_state ON installations USING btree (state, create_time, id);
CREATE INDEX installations_version ON installations USING btree (application_version, create_time, id) WHERE (state <> 'deleted'::text);

CREATE TABLE cluster_installations (
    id                  text PRIMARY KEY,
    state               text NOT NULL,
    version             bigint NOT NULL,
    epoch               bigint NOT NULL DEFAULT 0,
    attempts            integer NOT NULL DEFAULT 0,
    next_attempt_at     timestamptz,
    claimed_until       timestamptz,
    claimed_by          text,
    state_since         timestamptz NOT NULL,
    update_time         timestamptz NOT NULL,
    waiting_for         text,
    last_error_code     text,
    last_error          text,
    last_error_fault    text,
    installation_id     text NOT NULL,
    cluster_id          text NOT NULL REFERENCES clusters (id),
    spec                jsonb NOT NULL,
    generation          bigint NOT NULL,
    applied_generation  bigint NOT NULL,
    observed_generation bigint NOT NULL,
    status              jsonb NOT NULL,
    resource_uid        text NOT NULL,
    resource_generation bigint NOT NULL,
    create_time         timestamptz NOT NULL,
    delete_time         timestamptz
);

CREATE INDEX cluster_installations_due ON cluster_installations (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE UNIQUE INDEX cluster_installations_live ON cluster_installations (installation_id, cluster_id)
    WHERE delete_time IS NULL;
CREATE INDEX cluster_installations_by_installation ON cluster_installations (installation_id);
CREATE INDEX cluster_installations_by_cluster ON cluster_installations (cluster_id, state);
CREATE INDEX cluster_installations_age ON cluster_installations (create_time, id);

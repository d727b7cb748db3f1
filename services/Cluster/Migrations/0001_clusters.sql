-- Application clusters. What is seen in them is in cluster_observations: looking must never collide with acting.
CREATE TABLE clusters (
    id                            text PRIMARY KEY,
    state                         text NOT NULL,
    version                       bigint NOT NULL,
    epoch                         bigint NOT NULL DEFAULT 0,
    attempts                      integer NOT NULL DEFAULT 0,
    next_attempt_at               timestamptz,
    claimed_until                 timestamptz,
    claimed_by                    text,
    state_since                   timestamptz NOT NULL,
    update_time                   timestamptz NOT NULL,
    waiting_for                   text,
    last_error_code               text,
    last_error                    text,
    last_error_fault              text,
    display_name                  text NOT NULL,
    allow_installations           boolean NOT NULL,
    utilization_threshold_percent integer NOT NULL,
    server                        text NOT NULL,
    encrypted_kubeconfig          bytea NOT NULL,
    kubeconfig_revision           integer NOT NULL,
    operator_image                text NOT NULL,
    first_write_time              timestamptz,
    provision_time                timestamptz,
    create_time                   timestamptz NOT NULL,
    delete_time                   timestamptz
);

CREATE INDEX clusters_due ON clusters (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE UNIQUE INDEX clusters_display_name ON clusters (display_name) WHERE delete_time IS NULL;
CREATE INDEX clusters_age ON clusters (create_time, id);

-- Written by whoever watches, only when its view changes.
CREATE TABLE cluster_observations (
    cluster_id         text PRIMARY KEY REFERENCES clusters (id),
    reachable          boolean NOT NULL,
    unreachable_reason text NOT NULL,
    kubernetes_version text NOT NULL,
    capacity           jsonb NOT NULL,
    observe_time       timestamptz
);

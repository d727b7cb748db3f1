-- Room kept for an installation in a cluster, from the decision until it is gone from there.
CREATE TABLE reservations (
    installation_id text PRIMARY KEY,
    cluster_id      text NOT NULL REFERENCES clusters (id),
    size            text NOT NULL,
    affinity        text NOT NULL,
    cpu_millis      bigint NOT NULL,
    memory_bytes    bigint NOT NULL,
    pods            integer NOT NULL,
    reason          text NOT NULL,
    create_time     timestamptz NOT NULL
);

CREATE INDEX reservations_by_cluster ON reservations (cluster_id);
CREATE INDEX reservations_age ON reservations (create_time, installation_id);

-- Installations that found no room: they are nudged when there is some.
CREATE TABLE placement_waits (
    installation_id text PRIMARY KEY,
    since           timestamptz NOT NULL
);

CREATE INDEX placement_waits_age ON placement_waits (since);

-- The highest epoch seen per installation; kept after it is gone, so that a worker that slept through its deletion
-- cannot bring it back.
CREATE TABLE installation_epochs (
    installation_id text PRIMARY KEY,
    epoch           bigint NOT NULL
);

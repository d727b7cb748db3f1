-- All migrations added up. A test compares; change the migrations, then this.

CREATE TABLE cluster_installations (
    id text NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamp with time zone,
    claimed_until timestamp with time zone,
    claimed_by text,
    state_since timestamp with time zone NOT NULL,
    update_time timestamp with time zone NOT NULL,
    waiting_for text,
    last_error_code text,
    last_error text,
    last_error_fault text,
    installation_id text NOT NULL,
    cluster_id text NOT NULL,
    spec jsonb NOT NULL,
    generation bigint NOT NULL,
    applied_generation bigint NOT NULL,
    observed_generation bigint NOT NULL,
    status jsonb NOT NULL,
    resource_uid text NOT NULL,
    resource_generation bigint NOT NULL,
    create_time timestamp with time zone NOT NULL,
    delete_time timestamp with time zone,
    looked_at timestamp with time zone,
    cause_request_id text,
    cause_traceparent text,
    begun boolean NOT NULL DEFAULT false,
    PRIMARY KEY (id),
    FOREIGN KEY (cluster_id) REFERENCES clusters(id)
);
CREATE INDEX cluster_installations_age ON cluster_installations USING btree (create_time, id);
CREATE INDEX cluster_installations_by_installation ON cluster_installations USING btree (installation_id);
CREATE INDEX cluster_installations_due ON cluster_installations USING btree (next_attempt_at) WHERE (next_attempt_at IS NOT NULL);
CREATE UNIQUE INDEX cluster_installations_live ON cluster_installations USING btree (installation_id, cluster_id) WHERE (delete_time IS NULL);
CREATE INDEX cluster_installations_live_age ON cluster_installations USING btree (create_time, id) WHERE (delete_time IS NULL);
CREATE INDEX cluster_installations_of_cluster ON cluster_installations USING btree (cluster_id, create_time, id) WHERE (delete_time IS NULL);
CREATE INDEX cluster_installations_state ON cluster_installations USING btree (state, create_time, id);

CREATE TABLE cluster_observations (
    cluster_id text NOT NULL,
    reachable boolean NOT NULL,
    unreachable_reason text NOT NULL,
    kubernetes_version text NOT NULL,
    capacity jsonb NOT NULL,
    observe_time timestamp with time zone,
    PRIMARY KEY (cluster_id),
    FOREIGN KEY (cluster_id) REFERENCES clusters(id)
);

CREATE TABLE clusters (
    id text NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamp with time zone,
    claimed_until timestamp with time zone,
    claimed_by text,
    state_since timestamp with time zone NOT NULL,
    update_time timestamp with time zone NOT NULL,
    waiting_for text,
    last_error_code text,
    last_error text,
    last_error_fault text,
    display_name text NOT NULL,
    allow_installations boolean NOT NULL,
    utilization_threshold_percent integer NOT NULL,
    server text NOT NULL,
    encrypted_kubeconfig bytea NOT NULL,
    kubeconfig_revision integer NOT NULL,
    operator_image text NOT NULL,
    first_write_time timestamp with time zone,
    provision_time timestamp with time zone,
    create_time timestamp with time zone NOT NULL,
    delete_time timestamp with time zone,
    looked_at timestamp with time zone,
    cause_request_id text,
    cause_traceparent text,
    uid text,
    left_behind text[] NOT NULL DEFAULT '{}'::text[],
    PRIMARY KEY (id)
);
CREATE INDEX clusters_age ON clusters USING btree (create_time, id);
CREATE UNIQUE INDEX clusters_display_name ON clusters USING btree (display_name) WHERE (delete_time IS NULL);
CREATE INDEX clusters_due ON clusters USING btree (next_attempt_at) WHERE (next_attempt_at IS NOT NULL);
CREATE UNIQUE INDEX clusters_uid ON clusters USING btree (uid) WHERE (delete_time IS NULL);

CREATE TABLE installation_epochs (
    installation_id text NOT NULL,
    epoch bigint NOT NULL,
    PRIMARY KEY (installation_id)
);

CREATE TABLE placement_waits (
    installation_id text NOT NULL,
    since timestamp with time zone NOT NULL,
    told_at timestamp with time zone NOT NULL DEFAULT '-infinity'::timestamp with time zone,
    PRIMARY KEY (installation_id)
);
CREATE INDEX placement_waits_in_turn ON placement_waits USING btree (told_at, since);

CREATE TABLE reservations (
    installation_id text NOT NULL,
    cluster_id text NOT NULL,
    size text NOT NULL,
    affinity text NOT NULL,
    cpu_millis bigint NOT NULL,
    memory_bytes bigint NOT NULL,
    pods integer NOT NULL,
    reason text NOT NULL,
    create_time timestamp with time zone NOT NULL,
    PRIMARY KEY (installation_id),
    FOREIGN KEY (cluster_id) REFERENCES clusters(id)
);
CREATE INDEX reservations_age ON reservations USING btree (create_time, installation_id);
CREATE INDEX reservations_by_cluster ON reservations USING btree (cluster_id);
CREATE TRIGGER keep_reserved AFTER INSERT OR DELETE OR UPDATE ON reservations FOR EACH ROW EXECUTE FUNCTION keep_reserved();

CREATE TABLE reserved (
    cluster_id text NOT NULL,
    cpu_millis bigint NOT NULL,
    memory_bytes bigint NOT NULL,
    pods integer NOT NULL,
    installations integer NOT NULL,
    isolated integer NOT NULL,
    PRIMARY KEY (cluster_id),
    FOREIGN KEY (cluster_id) REFERENCES clusters(id)
);

CREATE OR REPLACE FUNCTION keep_reserved()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'cluster'
AS $function$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE reserved
           SET cpu_millis = cpu_millis - OLD.cpu_millis, memory_bytes = memory_bytes - OLD.memory_bytes,
               pods = pods - OLD.pods, installations = installations - 1,
               isolated = isolated - (OLD.affinity = 'isolated')::int
         WHERE cluster_id = OLD.cluster_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO reserved AS kept (cluster_id, cpu_millis, memory_bytes, pods, installations, isolated)
        VALUES (NEW.cluster_id, NEW.cpu_millis, NEW.memory_bytes, NEW.pods, 1, (NEW.affinity = 'isolated')::int)
        ON CONFLICT (cluster_id) DO UPDATE
           SET cpu_millis = kept.cpu_millis + excluded.cpu_millis,
               memory_bytes = kept.memory_bytes + excluded.memory_bytes, pods = kept.pods + excluded.pods,
               installations = kept.installations + 1, isolated = kept.isolated + excluded.isolated;
    END IF;
    RETURN NULL;
END $function$
;

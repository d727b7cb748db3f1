-- All migrations added up. A test compares; change the migrations, then this.

CREATE TABLE events (
    sequence bigint NOT NULL,
    source text NOT NULL,
    source_sequence bigint NOT NULL,
    resource_type text NOT NULL,
    resource text NOT NULL,
    installation text NOT NULL,
    type text NOT NULL,
    old_state text NOT NULL,
    new_state text NOT NULL,
    reason text NOT NULL,
    error_code text NOT NULL,
    actor text NOT NULL,
    request_id text NOT NULL,
    trace_id text NOT NULL,
    resource_version bigint NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    taken_in_at timestamp with time zone NOT NULL,
    source_generation bigint NOT NULL DEFAULT 1,
    UNIQUE (source, source_sequence, source_generation),
    PRIMARY KEY (sequence)
);
CREATE INDEX events_by_actor ON events USING btree (actor, sequence);
CREATE INDEX events_by_age ON events USING btree (taken_in_at, sequence);
CREATE INDEX events_by_resource_type ON events USING btree (resource_type, sequence);
CREATE INDEX events_by_source ON events USING btree (source, sequence);
CREATE INDEX events_by_state ON events USING btree (new_state, sequence);
CREATE INDEX events_by_type ON events USING btree (type, sequence);
CREATE INDEX events_late ON events USING btree (occurred_at, sequence) WHERE ((taken_in_at - occurred_at) >= '01:00:00'::interval);
CREATE INDEX events_of_installation ON events USING btree (installation, sequence) WHERE (installation <> ''::text);
CREATE INDEX events_of_request ON events USING btree (request_id, sequence) WHERE (request_id <> ''::text);
CREATE INDEX events_of_resource ON events USING btree (resource text_pattern_ops, sequence);
CREATE INDEX events_of_trace ON events USING btree (trace_id, sequence) WHERE (trace_id <> ''::text);

CREATE TABLE feed (
    only_row boolean NOT NULL DEFAULT true,
    last_sequence bigint NOT NULL DEFAULT 0,
    pruned_through bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (only_row),
    CHECK (only_row)
);

CREATE TABLE fleet (
    resource text NOT NULL,
    resource_type text NOT NULL,
    installation text NOT NULL,
    state text NOT NULL,
    resource_version bigint NOT NULL,
    source text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    PRIMARY KEY (resource)
);
CREATE TRIGGER count_come AFTER INSERT ON fleet REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION count_come();
CREATE TRIGGER count_gone AFTER DELETE ON fleet REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_gone();
CREATE TRIGGER count_moved_from AFTER UPDATE ON fleet REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_gone();
CREATE TRIGGER count_moved_to AFTER UPDATE ON fleet REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION count_come();

CREATE TABLE fleet_counts (
    resource_type text NOT NULL,
    state text NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (resource_type, state)
);

CREATE TABLE sources (
    source text NOT NULL,
    source_sequence bigint NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    generation bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (source)
);

CREATE TABLE webhook_deliveries (
    webhook_id text NOT NULL,
    id text NOT NULL,
    position bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    sequence bigint NOT NULL,
    event_type text NOT NULL,
    resource text NOT NULL,
    status text NOT NULL,
    queued bigint NOT NULL,
    queued_at timestamp with time zone NOT NULL,
    attempts integer NOT NULL,
    first_attempt_at timestamp with time zone,
    next_attempt_at timestamp with time zone,
    finished_at timestamp with time zone,
    create_time timestamp with time zone NOT NULL,
    log jsonb NOT NULL,
    PRIMARY KEY (webhook_id, id),
    FOREIGN KEY (webhook_id) REFERENCES webhooks(id)
);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries USING btree (finished_at) WHERE (finished_at IS NOT NULL);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries USING btree (webhook_id, next_attempt_at) WHERE (next_attempt_at IS NOT NULL);
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries USING btree (webhook_id, "position");
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries USING btree (webhook_id, resource, queued) WHERE (status = 'pending'::text);

CREATE TABLE webhook_progress (
    webhook_id text NOT NULL,
    sequence bigint NOT NULL,
    replay_after bigint,
    replay_through bigint,
    replay_only_failed boolean NOT NULL DEFAULT false,
    failing_since timestamp with time zone,
    succeeded_at timestamp with time zone,
    paused_until timestamp with time zone,
    PRIMARY KEY (webhook_id),
    FOREIGN KEY (webhook_id) REFERENCES webhooks(id)
);

CREATE TABLE webhooks (
    id text NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    epoch bigint NOT NULL,
    attempts integer NOT NULL,
    next_attempt_at timestamp with time zone,
    claimed_until timestamp with time zone,
    claimed_by text,
    looked_at timestamp with time zone,
    state_since timestamp with time zone NOT NULL,
    waiting_for text,
    last_error_code text,
    last_error text,
    last_error_fault text,
    display_name text NOT NULL,
    url text NOT NULL,
    filter jsonb NOT NULL,
    headers jsonb NOT NULL,
    secret text NOT NULL,
    old_secrets jsonb NOT NULL,
    create_time timestamp with time zone NOT NULL,
    update_time timestamp with time zone NOT NULL,
    cause_request_id text,
    cause_traceparent text,
    PRIMARY KEY (id)
);
CREATE INDEX webhooks_by_age ON webhooks USING btree (create_time, id);
CREATE UNIQUE INDEX webhooks_display_name ON webhooks USING btree (lower(display_name)) WHERE (state <> 'deleted'::text);
CREATE INDEX webhooks_due ON webhooks USING btree (next_attempt_at) WHERE (next_attempt_at IS NOT NULL);
CREATE INDEX webhooks_enabled ON webhooks USING btree (id) WHERE (state = 'enabled'::text);

CREATE OR REPLACE FUNCTION count_come()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'metrics'
AS $function$
BEGIN
    INSERT INTO fleet_counts AS kept (resource_type, state, count)
    SELECT resource_type, state, count(*) FROM come GROUP BY resource_type, state
    ON CONFLICT (resource_type, state) DO UPDATE SET count = kept.count + excluded.count;
    RETURN NULL;
END $function$
;

CREATE OR REPLACE FUNCTION count_gone()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'metrics'
AS $function$
BEGIN
    UPDATE fleet_counts AS kept SET count = kept.count - less.count
      FROM (SELECT resource_type, state, count(*) AS count FROM gone GROUP BY resource_type, state) AS less
     WHERE kept.resource_type = less.resource_type AND kept.state = less.state;
    RETURN NULL;
END $function$
;

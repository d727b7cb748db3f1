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
CREATE INDEX events_by_age ON events USING btree (taken_in_at);
CREATE INDEX events_by_resource_type ON events USING btree (resource_type, sequence);
CREATE INDEX events_by_source ON events USING btree (source, sequence);
CREATE INDEX events_by_state ON events USING btree (new_state, sequence);
CREATE INDEX events_by_time ON events USING btree (occurred_at);
CREATE INDEX events_by_type ON events USING btree (type, sequence);
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
CREATE INDEX fleet_by_state ON fleet USING btree (resource_type, state);

CREATE TABLE sources (
    source text NOT NULL,
    source_sequence bigint NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    generation bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (source)
);

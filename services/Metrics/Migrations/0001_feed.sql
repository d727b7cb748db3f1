-- One row: how far the feed goes. Its lock makes taking in serial, so that sequences commit in their order and a reader
-- that has seen n has seen everything below n.
CREATE TABLE feed (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    last_sequence  bigint NOT NULL DEFAULT 0,
    pruned_through bigint NOT NULL DEFAULT 0
);

INSERT INTO feed DEFAULT VALUES;

-- How far each service's outbox has been taken in.
CREATE TABLE sources (
    source          text PRIMARY KEY,
    source_sequence bigint NOT NULL,
    occurred_at     timestamptz NOT NULL
);

-- What happened, in one order, without gaps.
CREATE TABLE events (
    sequence         bigint PRIMARY KEY,
    source           text NOT NULL,
    source_sequence  bigint NOT NULL,
    resource_type    text NOT NULL,
    resource         text NOT NULL,
    installation     text NOT NULL,
    type             text NOT NULL,
    old_state        text NOT NULL,
    new_state        text NOT NULL,
    reason           text NOT NULL,
    error_code       text NOT NULL,
    actor            text NOT NULL,
    request_id       text NOT NULL,
    trace_id         text NOT NULL,
    resource_version bigint NOT NULL,
    occurred_at      timestamptz NOT NULL,
    taken_in_at      timestamptz NOT NULL,
    UNIQUE (source, source_sequence)
);

CREATE INDEX events_of_resource ON events (resource, sequence);
CREATE INDEX events_of_installation ON events (installation, sequence) WHERE installation <> '';
CREATE INDEX events_by_resource_type ON events (resource_type, sequence);
CREATE INDEX events_by_age ON events (taken_in_at);

-- Where every resource that is not deleted stands now; written in the transaction that takes its event in.
CREATE TABLE fleet (
    resource         text PRIMARY KEY,
    resource_type    text NOT NULL,
    installation     text NOT NULL,
    state            text NOT NULL,
    resource_version bigint NOT NULL,
    source           text NOT NULL,
    changed_at       timestamptz NOT NULL
);

CREATE INDEX fleet_by_state ON fleet (resource_type, state);

-- Events of this service, written in the transaction of the change they tell about.
-- position: order of writing (may have gaps and may commit out of order between resources, never within one).
-- sequence: the public number, without gaps, given after the commit; null until then.
CREATE TABLE outbox (
    position         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sequence         bigint,
    resource_type    text NOT NULL,
    resource         text NOT NULL,
    type             text NOT NULL,
    old_state        text,
    new_state        text,
    reason           text,
    error_code       text,
    actor            text NOT NULL,
    request_id       text,
    trace_id         text,
    resource_version bigint NOT NULL,
    occurred_at      timestamptz NOT NULL,
    parent           text,
    snapshot         bytea
);

CREATE UNIQUE INDEX outbox_sequence ON outbox (sequence) WHERE sequence IS NOT NULL;
CREATE INDEX outbox_unnumbered ON outbox (position) WHERE sequence IS NULL;

-- One row: how far the outbox is numbered, delivered and pruned.
CREATE TABLE outbox_progress (
    only_row          boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    last_sequence     bigint NOT NULL DEFAULT 0,
    delivered_through bigint NOT NULL DEFAULT 0,
    pruned_through    bigint NOT NULL DEFAULT 0
);

INSERT INTO outbox_progress DEFAULT VALUES;

-- Answers of mutations, so that a repeated request_id answers the same for 24 hours.
CREATE TABLE request_ledger (
    method       text NOT NULL,
    request_id   text NOT NULL,
    request_hash bytea NOT NULL,
    reply        bytea,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (method, request_id)
);

CREATE INDEX request_ledger_age ON request_ledger (created_at);

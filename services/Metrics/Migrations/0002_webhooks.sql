-- Receivers of events. Secrets and header values are encrypted by the service's keys.
CREATE TABLE webhooks (
    id               text PRIMARY KEY,
    state            text NOT NULL,
    version          bigint NOT NULL,
    epoch            bigint NOT NULL,
    attempts         integer NOT NULL,
    next_attempt_at  timestamptz,
    claimed_until    timestamptz,
    claimed_by       text,
    looked_at        timestamptz,
    state_since      timestamptz NOT NULL,
    waiting_for      text,
    last_error_code  text,
    last_error       text,
    last_error_fault text,
    display_name     text NOT NULL,
    url              text NOT NULL,
    filter           jsonb NOT NULL,
    headers          jsonb NOT NULL,
    secret           text NOT NULL,
    old_secrets      jsonb NOT NULL,
    create_time      timestamptz NOT NULL,
    update_time      timestamptz NOT NULL
);

CREATE INDEX webhooks_due ON webhooks (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE UNIQUE INDEX webhooks_display_name ON webhooks (lower(display_name)) WHERE state <> 'deleted';
CREATE INDEX webhooks_by_age ON webhooks (create_time, id);
CREATE INDEX webhooks_enabled ON webhooks (id) WHERE state = 'enabled';

-- How far each webhook has come. Apart from webhooks, because it moves with every delivery and is no change of the
-- webhook. Its row is the lock of the webhook's queue.
CREATE TABLE webhook_progress (
    webhook_id         text PRIMARY KEY REFERENCES webhooks,
    sequence           bigint NOT NULL,
    replay_after       bigint,
    replay_through     bigint,
    replay_only_failed boolean NOT NULL DEFAULT false,
    failing_since      timestamptz,
    succeeded_at       timestamptz,
    paused_until       timestamptz
);

-- The order in which deliveries of a resource go out.
CREATE SEQUENCE webhook_queue;

-- Queue and log in one. Of those that wait, only the first of each resource has a next_attempt_at.
CREATE TABLE webhook_deliveries (
    webhook_id       text NOT NULL REFERENCES webhooks,
    id               text NOT NULL,
    position         bigint GENERATED ALWAYS AS IDENTITY,
    sequence         bigint NOT NULL,
    event_type       text NOT NULL,
    resource         text NOT NULL,
    status           text NOT NULL,
    queued           bigint NOT NULL,
    queued_at        timestamptz NOT NULL,
    attempts         integer NOT NULL,
    first_attempt_at timestamptz,
    next_attempt_at  timestamptz,
    finished_at      timestamptz,
    create_time      timestamptz NOT NULL,
    log              jsonb NOT NULL,
    PRIMARY KEY (webhook_id, id)
);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_attempt_at)
    WHERE next_attempt_at IS NOT NULL;
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (webhook_id, resource, queued) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (webhook_id, position);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (finished_at) WHERE finished_at IS NOT NULL;

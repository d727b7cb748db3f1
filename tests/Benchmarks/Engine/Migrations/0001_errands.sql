CREATE TABLE errands (
    id               text PRIMARY KEY,
    state            text NOT NULL,
    version          bigint NOT NULL,
    epoch            bigint NOT NULL,
    attempts         integer NOT NULL,
    next_attempt_at  timestamptz,
    claimed_until    timestamptz,
    claimed_by       text,
    state_since      timestamptz NOT NULL,
    waiting_for      text,
    last_error_code  text,
    last_error       text,
    last_error_fault text,
    looked_at        timestamptz,
    create_time      timestamptz NOT NULL DEFAULT now(),
    cause_request_id text,
    cause_traceparent text,
    steps_left       integer NOT NULL
);

CREATE INDEX errands_due ON errands (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

CREATE TABLE parcels (
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
    address          text NOT NULL UNIQUE,
    depot            text,
    urgency          text,
    weight           double precision NOT NULL,
    insured_for      numeric,
    fragile          boolean NOT NULL,
    stamps           jsonb NOT NULL,
    stops            jsonb NOT NULL,
    tags             text[] NOT NULL,
    seal             bytea,
    promised_within  interval,
    collected_at     timestamptz
);

CREATE INDEX parcels_due ON parcels (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

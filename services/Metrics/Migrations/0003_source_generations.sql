-- A source that was restored from an older backup gives out sequences a second time. Each such history is a generation
-- of its source; within one, sequences have no gaps.
ALTER TABLE sources ADD COLUMN generation bigint NOT NULL DEFAULT 1;
ALTER TABLE events ADD COLUMN source_generation bigint NOT NULL DEFAULT 1;
ALTER TABLE events DROP CONSTRAINT events_source_source_sequence_key;
ALTER TABLE events ADD UNIQUE (source, source_sequence, source_generation);

-- One index per filter, in the order of the feed. Names that begin alike lie together in the first.
DROP INDEX events_of_resource;
CREATE INDEX events_of_resource ON events (resource text_pattern_ops, sequence);
CREATE INDEX events_by_source ON events (source, sequence);
CREATE INDEX events_by_type ON events (type, sequence);
CREATE INDEX events_by_state ON events (new_state, sequence);
CREATE INDEX events_by_actor ON events (actor, sequence);
CREATE INDEX events_of_request ON events (request_id, sequence) WHERE request_id <> '';
CREATE INDEX events_of_trace ON events (trace_id, sequence) WHERE trace_id <> '';
CREATE INDEX events_by_time ON events (occurred_at);

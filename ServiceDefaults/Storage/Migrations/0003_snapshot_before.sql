-- The resource right before the change, on events by which it may leave what a client watches; null on the others.
ALTER TABLE outbox ADD COLUMN snapshot_before bytea;

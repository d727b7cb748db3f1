-- Grows by one when the feed found that this database was restored from an older backup and gives out sequences a second
-- time. Positions of an earlier generation are too old to resume from.
ALTER TABLE outbox_progress ADD COLUMN generation bigint NOT NULL DEFAULT 1;

-- When a worker last began to look at a row: what tells a nudge that was served from one that was not.
ALTER TABLE database_servers ADD COLUMN looked_at timestamptz;
ALTER TABLE logical_databases ADD COLUMN looked_at timestamptz;

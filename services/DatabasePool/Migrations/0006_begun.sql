-- Whether something of a database may be on its server: those written before may have been begun.
ALTER TABLE logical_databases ADD COLUMN begun boolean NOT NULL DEFAULT true;
ALTER TABLE logical_databases ALTER COLUMN begun SET DEFAULT false;

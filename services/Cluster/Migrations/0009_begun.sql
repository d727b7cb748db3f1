-- Whether something of a cluster installation may be in its cluster: those written before may have been begun.
ALTER TABLE cluster_installations ADD COLUMN begun boolean NOT NULL DEFAULT true;
ALTER TABLE cluster_installations ALTER COLUMN begun SET DEFAULT false;

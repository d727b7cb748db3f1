-- What was left on a server that was let go though it did not answer.
ALTER TABLE database_servers ADD COLUMN left_behind text[] NOT NULL DEFAULT '{}';

-- What was left in a cluster that was let go though it did not answer.
ALTER TABLE clusters ADD COLUMN left_behind text[] NOT NULL DEFAULT '{}';

-- Tells one cluster from another whatever its address: the UID of its namespace kube-system. Those imported before are
-- asked for it by being provisioned again.
ALTER TABLE clusters ADD COLUMN uid text;
CREATE UNIQUE INDEX clusters_uid ON clusters (uid) WHERE delete_time IS NULL;

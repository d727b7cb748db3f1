-- One index per kind of list, in its order. What was deleted lies apart: in time it is the most.
DROP INDEX cluster_installations_by_cluster;
CREATE INDEX cluster_installations_live_age ON cluster_installations (create_time, id) WHERE delete_time IS NULL;
CREATE INDEX cluster_installations_of_cluster ON cluster_installations (cluster_id, create_time, id)
    WHERE delete_time IS NULL;
CREATE INDEX cluster_installations_state ON cluster_installations (state, create_time, id);

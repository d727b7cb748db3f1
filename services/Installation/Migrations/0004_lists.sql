-- One index per kind of list, in its order. What was deleted lies apart: in time it is the most.
DROP INDEX installations_cluster, installations_owner, installations_state;
CREATE INDEX installations_live_age ON installations (create_time, id) WHERE state <> 'deleted';
CREATE INDEX installations_cluster ON installations (cluster, create_time, id);
CREATE INDEX installations_owner ON installations (owner_id, create_time, id);
CREATE INDEX installations_state ON installations (state, create_time, id);
CREATE INDEX installations_version ON installations (application_version, create_time, id) WHERE state <> 'deleted';
CREATE INDEX installations_size ON installations (size, create_time, id) WHERE state <> 'deleted';

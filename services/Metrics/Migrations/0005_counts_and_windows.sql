-- How many resources of a type are in a state, kept up by every statement that changes the fleet: gauges and the
-- fleet's status read a row per state instead of the fleet.
CREATE TABLE fleet_counts (
    resource_type text NOT NULL,
    state         text NOT NULL,
    count         bigint NOT NULL,
    PRIMARY KEY (resource_type, state)
);

CREATE FUNCTION count_come() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fleet_counts AS kept (resource_type, state, count)
    SELECT resource_type, state, count(*) FROM come GROUP BY resource_type, state
    ON CONFLICT (resource_type, state) DO UPDATE SET count = kept.count + excluded.count;
    RETURN NULL;
END $$;

CREATE FUNCTION count_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE fleet_counts AS kept SET count = kept.count - less.count
      FROM (SELECT resource_type, state, count(*) AS count FROM gone GROUP BY resource_type, state) AS less
     WHERE kept.resource_type = less.resource_type AND kept.state = less.state;
    RETURN NULL;
END $$;

-- Whoever writes, with whatever search path, means these tables.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION count_come() SET search_path TO %I', current_schema());
    EXECUTE format('ALTER FUNCTION count_gone() SET search_path TO %I', current_schema());
END $$;

CREATE TRIGGER count_come AFTER INSERT ON fleet
    REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION count_come();
CREATE TRIGGER count_gone AFTER DELETE ON fleet
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_gone();
CREATE TRIGGER count_moved_to AFTER UPDATE ON fleet
    REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION count_come();
CREATE TRIGGER count_moved_from AFTER UPDATE ON fleet
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_gone();

INSERT INTO fleet_counts SELECT resource_type, state, count(*) FROM fleet GROUP BY resource_type, state;
DROP INDEX fleet_by_state;

-- Where in the feed a moment lies; and what came late, which lies elsewhere.
DROP INDEX events_by_age;
CREATE INDEX events_by_age ON events (taken_in_at, sequence);
CREATE INDEX events_late ON events (occurred_at, sequence) WHERE taken_in_at - occurred_at >= interval '1 hour';
DROP INDEX events_by_time;

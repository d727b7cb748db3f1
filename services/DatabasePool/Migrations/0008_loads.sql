-- How many logical databases live on each server, kept up as they come, move and go: a choice reads a row per server
-- instead of all logical databases.
CREATE TABLE database_server_loads (
    database_server_id text PRIMARY KEY REFERENCES database_servers,
    databases          integer NOT NULL
);

CREATE FUNCTION keep_loads() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.state <> 'deleted' THEN
        UPDATE database_server_loads SET databases = databases - 1 WHERE database_server_id = OLD.database_server_id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.state <> 'deleted' THEN
        INSERT INTO database_server_loads AS kept (database_server_id, databases) VALUES (NEW.database_server_id, 1)
        ON CONFLICT (database_server_id) DO UPDATE SET databases = kept.databases + 1;
    END IF;
    RETURN NULL;
END $$;

-- Whoever writes, with whatever search path, means these tables.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION keep_loads() SET search_path TO %I', current_schema());
END $$;

CREATE TRIGGER keep_loads AFTER INSERT OR DELETE ON logical_databases
    FOR EACH ROW EXECUTE FUNCTION keep_loads();
CREATE TRIGGER keep_loads_of_moved AFTER UPDATE ON logical_databases
    FOR EACH ROW
    WHEN ((OLD.state = 'deleted') <> (NEW.state = 'deleted') OR OLD.database_server_id <> NEW.database_server_id)
    EXECUTE FUNCTION keep_loads();

INSERT INTO database_server_loads
SELECT database_server_id, count(*) FROM logical_databases WHERE state <> 'deleted' GROUP BY database_server_id;

-- One index per kind of list, in its order. What was deleted lies apart: in time it is the most.
DROP INDEX logical_databases_on_server;
CREATE INDEX logical_databases_on_server ON logical_databases (database_server_id, create_time, id)
    WHERE state <> 'deleted';
CREATE INDEX logical_databases_live_age ON logical_databases (create_time, id) WHERE state <> 'deleted';
CREATE INDEX logical_databases_state ON logical_databases (state, create_time, id);

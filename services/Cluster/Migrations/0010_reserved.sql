-- What is reserved in each cluster, kept up as reservations come, change and go: a decision reads a row per cluster
-- instead of all reservations.
CREATE TABLE reserved (
    cluster_id    text PRIMARY KEY REFERENCES clusters,
    cpu_millis    bigint NOT NULL,
    memory_bytes  bigint NOT NULL,
    pods          integer NOT NULL,
    installations integer NOT NULL,
    isolated      integer NOT NULL
);

CREATE FUNCTION keep_reserved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE reserved
           SET cpu_millis = cpu_millis - OLD.cpu_millis, memory_bytes = memory_bytes - OLD.memory_bytes,
               pods = pods - OLD.pods, installations = installations - 1,
               isolated = isolated - (OLD.affinity = 'isolated')::int
         WHERE cluster_id = OLD.cluster_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO reserved AS kept (cluster_id, cpu_millis, memory_bytes, pods, installations, isolated)
        VALUES (NEW.cluster_id, NEW.cpu_millis, NEW.memory_bytes, NEW.pods, 1, (NEW.affinity = 'isolated')::int)
        ON CONFLICT (cluster_id) DO UPDATE
           SET cpu_millis = kept.cpu_millis + excluded.cpu_millis,
               memory_bytes = kept.memory_bytes + excluded.memory_bytes, pods = kept.pods + excluded.pods,
               installations = kept.installations + 1, isolated = kept.isolated + excluded.isolated;
    END IF;
    RETURN NULL;
END $$;

-- Whoever writes, with whatever search path, means these tables.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION keep_reserved() SET search_path TO %I', current_schema());
END $$;

CREATE TRIGGER keep_reserved AFTER INSERT OR UPDATE OR DELETE ON reservations
    FOR EACH ROW EXECUTE FUNCTION keep_reserved();

INSERT INTO reserved
SELECT cluster_id, sum(cpu_millis), sum(memory_bytes), sum(pods), count(*), count(*) FILTER (WHERE affinity = 'isolated')
  FROM reservations GROUP BY cluster_id;

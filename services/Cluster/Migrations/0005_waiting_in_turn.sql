-- When an installation was told last that there may be room: who was told longest ago is told next, and one that still
-- found none passes it on.
ALTER TABLE placement_waits ADD COLUMN told_at timestamptz NOT NULL DEFAULT '-infinity';
DROP INDEX placement_waits_age;
CREATE INDEX placement_waits_in_turn ON placement_waits (told_at, since);

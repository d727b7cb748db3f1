-- When an installation was told last that there may be room: who was told longest ago is told next, and one that still
-- found none passes it on.
ALTER TABLE room_requests ADD COLUMN told_at timestamptz NOT NULL DEFAULT '-infinity';
DROP INDEX room_requests_by_age;
CREATE INDEX room_requests_in_turn ON room_requests (told_at, first_refused_at);
CREATE INDEX room_requests_by_age ON room_requests (last_refused_at);

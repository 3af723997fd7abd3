-- Why: the builder asks on every beat which dead letters of the control plane are not on their topic yet; without this each
-- question walks over every letter there ever was.
-- Locks: brief, on a table that holds exceptions.
SET LOCAL lock_timeout = '4s';
CREATE INDEX dead_letters_to_publish ON dead_letters (dead_letter) WHERE lane = -1 AND NOT published;

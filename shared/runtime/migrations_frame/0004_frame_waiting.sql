-- Why: what waits for somebody is counted every few seconds; without these each count reads every letter and parked item
-- there ever was, bodies included.
-- Locks: brief, on tables that hold exceptions.
SET LOCAL lock_timeout = '4s';
CREATE INDEX dead_letters_waiting ON dead_letters (code) INCLUDE (cents, recorded_at) WHERE replayed_at IS NULL;
CREATE INDEX parked_waiting ON parked (code) INCLUDE (cents, recorded_at) WHERE freed_for IS NULL;

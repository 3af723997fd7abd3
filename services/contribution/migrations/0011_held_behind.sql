-- Why: a held line is dated no earlier than what it waits behind. That stood in the memory of the worker that had decided the
-- one before it; after a claim between the two, the second could be booked on an earlier date. Locks: a brief exclusive lock
-- on held_lines; nothing is rewritten.
SET LOCAL lock_timeout = '4s';
ALTER TABLE held_lines ADD COLUMN not_before date;
COMMENT ON COLUMN held_lines.not_before IS 'The date of a line before it, where that is later than its own.';

-- A freed participant's items stay: what was parked on a date is a term of that date's proof for ever.
-- Why: until now the rows would have to go when they are applied. Locks: brief, new nullable column.
SET LOCAL lock_timeout = '4s';
ALTER TABLE parked ADD COLUMN freed_for date;
COMMENT ON COLUMN parked.freed_for IS 'The business date the item was applied for at last; NULL while it waits.';

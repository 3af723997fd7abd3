-- Why: what is forfeited by somebody who left goes the way of a reversal, and into the plan's forfeiture account.
-- Locks: a brief exclusive lock on reversals; the new column has a constant default, so nothing is rewritten.

ALTER TABLE reversals ADD COLUMN forfeits boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN reversals.forfeits IS 'The unvested part of somebody who left, not what payroll sent by mistake.';

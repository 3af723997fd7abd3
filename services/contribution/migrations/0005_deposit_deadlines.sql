-- Why: employees' money must reach the trust within seven federal business days of its pay date (29 CFR 2510.3-102), so
-- a run knows its first pay date, and one that waits the day its cash was due. Locks: brief exclusive locks, nothing is
-- rewritten; parts of dates that were added up before have no pay date and are not tracked.

ALTER TABLE run_parts ADD COLUMN first_pay_date date;
ALTER TABLE run_waits ADD COLUMN deposit_due date;
COMMENT ON COLUMN run_parts.first_pay_date IS 'The earliest pay date of the lines that were credited anything; null for reversals alone.';
COMMENT ON COLUMN run_waits.deposit_due IS 'The seventh federal business day after the first pay date of what waits.';

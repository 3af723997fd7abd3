-- Why: unused cash is stated from what was stated the date before and the runs whose cash has moved since; those are found by
-- date, and what is known of them by payroll. Locks: brief, both tables are written at closes and by facts of funding only.
SET LOCAL lock_timeout = '4s';
CREATE INDEX fundings_by_date ON fundings (trade_date);
CREATE INDEX run_releases_by_date ON run_releases (trade_date);
CREATE INDEX run_releases_by_payroll ON run_releases (payroll_id);

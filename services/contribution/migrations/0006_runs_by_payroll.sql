-- Why: a close asked for the parts of its payrolls and for cash not posted yet, and looked over all there ever were.
-- Locks: brief, both tables are written at closes and by facts of funding only.
SET LOCAL lock_timeout = '4s';
CREATE INDEX run_parts_by_payroll ON run_parts (payroll_id, plan_id);
CREATE INDEX fundings_unposted ON fundings (version) WHERE posted_for IS NULL;
CREATE INDEX fundings_returned ON fundings (payroll_id) WHERE cents < 0;

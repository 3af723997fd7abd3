-- Why: the close of a value date asked for its confirmations by verdict, and looked over all there ever were.
-- Locks: brief, confirmations are written at closes only.
SET LOCAL lock_timeout = '4s';
CREATE INDEX confirmations_by_verdict ON confirmations (verdict);
CREATE INDEX confirmations_refused ON confirmations (order_id) WHERE verdict LIKE 'refused:%';

-- Why: orders without a final answer are counted every few seconds; they are few among all there ever were.
-- Locks: brief, orders are written at closes only.
SET LOCAL lock_timeout = '4s';
CREATE INDEX orders_unsettled ON orders (status) WHERE status IN ('open', 'pending', 'broken');

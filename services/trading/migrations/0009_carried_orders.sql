-- Why: what the orders of a date took over is asked of the rejected ones by that date; they are few among all there ever were.
-- Locks: brief, orders are written at closes only.
SET LOCAL lock_timeout = '4s';
CREATE INDEX orders_carried ON orders (carried_to) WHERE carried_to IS NOT NULL;

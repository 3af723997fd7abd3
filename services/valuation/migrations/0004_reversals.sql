-- Why: shares of reversed lines are sold; the position loses its cost, the dollars are the plan's. Locks: a brief
-- exclusive lock on journal; the new column has no default, so nothing is rewritten.

ALTER TABLE journal ADD COLUMN proceeds bigint[];
COMMENT ON COLUMN journal.proceeds IS 'Of a fill of sold shares: confirmed cents by leg; amounts hold the cost that leaves the positions.';

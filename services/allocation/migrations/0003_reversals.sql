-- Why: a reversal is divided by the split of its own line, so earlier reversals of that line must be found fast.
-- Locks: builds an index on journal, which has no such rows yet.

CREATE INDEX journal_reversals ON journal (reverses, lane) WHERE reverses IS NOT NULL;
COMMENT ON TABLE journal IS 'kind split: a released line over funds. kind split_reversed: what is taken back of one, with negative cents.';

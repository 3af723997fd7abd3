-- Why: a fill named each leg twice; holdings are read and written whole, so that parsing them into jsonb was CPU for nothing.
-- Locks: access exclusive; positions and balances are rewritten (before the first release both are small).

ALTER TABLE journal
    ALTER COLUMN accounts DROP NOT NULL,
    ADD CHECK (accounts IS NOT NULL OR cardinality(participants) = cardinality(amounts) - 1),
    ADD CHECK (accounts IS NOT NULL OR cardinality(sources) = cardinality(amounts) - 1);
COMMENT ON COLUMN journal.accounts IS 'NULL for a fill: its accounts are (participant, source), pair by pair, and the custodian at the end.';
ALTER TABLE positions ALTER COLUMN holdings TYPE json USING holdings::json;
ALTER TABLE balances ALTER COLUMN holdings TYPE json USING holdings::json;

-- Why: the dollars of forfeited shares are the plan's forfeiture account, a part of its plan cash; who forfeited how much
-- is kept, since it may have to be restored. Locks: brief exclusive locks; the new column has a constant default.

ALTER TABLE reversal_legs ADD COLUMN forfeits boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN reversal_legs.forfeits IS 'Taken from somebody who left before it was vested: its dollars go to the forfeiture account.';

CREATE TABLE forfeitures (
    entry          bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book_date      date    NOT NULL,
    plan_id        text    NOT NULL,
    participant_id text    NOT NULL,
    source         text    NOT NULL,
    name           text    NOT NULL,
    version        integer NOT NULL,
    cost           bigint  NOT NULL,
    cents          bigint  NOT NULL,
    UNIQUE (name, version, participant_id, source, cost)
);
CREATE INDEX forfeitures_by_participant ON forfeitures (plan_id, participant_id);
COMMENT ON TABLE forfeitures IS 'What forfeited shares brought, by participant and source; the journal has the same by plan. Negative where a confirmation was corrected.';
COMMENT ON COLUMN forfeitures.name IS 'The order that sold the shares, or the name of what needed none.';
COMMENT ON COLUMN forfeitures.cost IS 'The cents that were taken back of payroll lines.';
COMMENT ON COLUMN forfeitures.cents IS 'The dollars they brought: what a restoration gives back.';

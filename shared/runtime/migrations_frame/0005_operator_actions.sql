-- Why: what an operator asked for at the console, why, and who agreed, must outlast the console and be read beside the
-- books it changed. Locks: none, a new table.

CREATE TABLE operator_actions (
    action     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text        NOT NULL CHECK (kind IN ('replay', 'replay_again', 'book', 'withdraw')),
    subjects   text[]      NOT NULL CHECK (cardinality(subjects) > 0),
    cents      bigint      NOT NULL CHECK (cents >= 0),
    reason     text        NOT NULL,
    asked_by   text        NOT NULL,
    asked_at   timestamptz NOT NULL DEFAULT now(),
    state      text        NOT NULL CHECK (state IN ('asked', 'begun', 'done', 'failed', 'declined')),
    decided_by text,
    decided_at timestamptz,
    outcome    text,
    CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
    CHECK ((state = 'asked') = (decided_by IS NULL))
);
CREATE UNIQUE INDEX operator_actions_waiting ON operator_actions (kind, subjects) WHERE state = 'asked';
COMMENT ON TABLE operator_actions IS 'The audit of the console: one row for each action, kept for ever. Unit: cents.';
COMMENT ON COLUMN operator_actions.state IS 'begun without an end means that the console died meanwhile: look at the subject.';
COMMENT ON COLUMN operator_actions.decided_by IS 'Who carried it out or declined it; above the two-person amount never who asked.';

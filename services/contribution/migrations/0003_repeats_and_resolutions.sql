-- Why: a payroll line that says the same as an earlier one is held until an operator books or withdraws it; lines freed
-- on a later date stay provable for the date they were held on. Locks: brief exclusive locks; the new columns have
-- constant defaults, so no table is rewritten.

ALTER TABLE year_to_date ADD COLUMN line_marks bytea NOT NULL DEFAULT '' CHECK (octet_length(line_marks) % 16 = 0);
COMMENT ON COLUMN year_to_date.line_marks IS
    'One mark per decided line: 8 bytes of what it says, 8 of its identity. A second line with the same words is held.';

ALTER TABLE held_lines
    ADD COLUMN resolution   text CHECK (resolution IN ('book', 'withdraw')),
    ADD COLUMN resolved_for date,
    ADD CONSTRAINT held_lines_resolved_whole CHECK ((resolution IS NULL) = (resolved_for IS NULL));
COMMENT ON COLUMN held_lines.resolution IS 'What an operator said about a held repeat, and the date he said it for.';

CREATE TABLE freed_lines (
    lane       integer NOT NULL,
    entry      bigint  NOT NULL,
    identity   uuid    NOT NULL,
    plan_id    text    NOT NULL,
    payroll_id text    NOT NULL,
    requested  bigint  NOT NULL,
    held_for   date    NOT NULL,
    freed_for  date    NOT NULL,
    PRIMARY KEY (lane, entry),
    CHECK (held_for < freed_for)
);
CREATE INDEX freed_lines_held_for ON freed_lines (held_for);
CREATE INDEX freed_lines_freed_for ON freed_lines (freed_for);
COMMENT ON TABLE freed_lines IS 'Lines held over the end of a date and decided on a later one: a term of both dates'' proofs. Unit: cents.';

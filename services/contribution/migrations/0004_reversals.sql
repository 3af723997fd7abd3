-- Why: what payroll takes back of a line, how much of the line is left, and where its money comes from.
-- Locks: a brief exclusive lock on held_lines; the new column has a constant default, so nothing is rewritten.

CREATE TABLE reversals (
    lane           integer  NOT NULL,
    entry          bigint   NOT NULL,
    trade_date     date     NOT NULL,
    recorded_at    timestamptz NOT NULL,
    bucket         smallint NOT NULL,
    plan_id        text     NOT NULL,
    payroll_id     text     NOT NULL,
    participant_id text     NOT NULL,
    identity       uuid     NOT NULL,
    line           uuid     NOT NULL,
    line_date      date     NOT NULL,
    line_entry     bigint   NOT NULL,
    sources        text[]   NOT NULL,
    cents          bigint[] NOT NULL,
    left_of_line   text     NOT NULL,
    went           text     CHECK (went IN ('released_less', 'taken_back')),
    trace          text,
    PRIMARY KEY (lane, entry),
    CHECK (cardinality(sources) = cardinality(cents)),
    CHECK (0 < ALL (cents))
) WITH (fillfactor = 80);
CREATE INDEX reversals_by_line ON reversals (line, entry);
CREATE INDEX reversals_by_date ON reversals (trade_date, lane);
CREATE INDEX reversals_released_less ON reversals (line_date, lane, line_entry) WHERE went = 'released_less';
COMMENT ON TABLE reversals IS 'What was taken back of a line, by source, with the engine''s match that followed. Unit: cents.';
COMMENT ON COLUMN reversals.payroll_id IS 'The run of the line, not that of the reversal.';
COMMENT ON COLUMN reversals.left_of_line IS 'What the books still have of the line after this reversal, as JSON.';
COMMENT ON COLUMN reversals.went IS 'Decided when the lane reads the date: the run was still to be released, or its shares are sold.';
COMMENT ON TABLE journal IS
    'kind line: one payroll line, its decision and its postings. reversal: what is taken back of one. Other kinds: release, funding, funding_used.';

ALTER TABLE held_lines ADD COLUMN kind text NOT NULL DEFAULT 'line' CHECK (kind IN ('line', 'reversal'));
COMMENT ON COLUMN held_lines.kind IS 'A reversal waits behind the held line it names, or behind one of the same person and year.';

-- What the contribution service owns: lines in its journal, participants, payroll runs and their cash.
-- Why: everything between a payroll line and the released cents. Locks: none, new tables.

SELECT create_journal();
ALTER TABLE journal
    ADD COLUMN payroll_id   text,
    ADD COLUMN pay_date     date,
    ADD COLUMN compensation bigint CHECK (compensation >= 0),
    ADD COLUMN requested    bigint CHECK (requested >= 0),
    ADD COLUMN rejected     bigint CHECK (rejected BETWEEN 0 AND requested),
    ADD COLUMN limit_uses   text;
COMMENT ON COLUMN journal.limit_uses IS 'The limit ledger of the line: [[limit, room before, room after, cents], ...] as JSON.';
COMMENT ON TABLE journal IS 'kind line: one payroll line, its decision and its postings. Other kinds: release, funding, funding_used.';

CREATE TABLE participants (
    participant_id text     NOT NULL,
    plan_id        text     NOT NULL,
    version        bigint   NOT NULL,
    bucket         smallint NOT NULL,
    lane           integer  NOT NULL,
    received_for   date     NOT NULL,
    effective_from date     NOT NULL,
    recorded_at    timestamptz NOT NULL,
    body           jsonb    NOT NULL,
    person         text     NOT NULL,
    PRIMARY KEY (participant_id, plan_id, version)
);
COMMENT ON COLUMN participants.person IS 'What the rules see: the facts with the employment history so far, as JSON.';

CREATE TABLE year_to_date (
    participant_id text     NOT NULL,
    plan_id        text     NOT NULL,
    year           integer  NOT NULL,
    bucket         smallint NOT NULL,
    lane           integer  NOT NULL,
    regular_pre_tax    bigint NOT NULL CHECK (regular_pre_tax >= 0),
    regular_roth       bigint NOT NULL CHECK (regular_roth >= 0),
    catch_up           bigint NOT NULL CHECK (catch_up >= 0),
    relabelled_pre_tax bigint NOT NULL CHECK (relabelled_pre_tax >= 0),
    relabelled_roth    bigint NOT NULL CHECK (relabelled_roth >= 0),
    other_additions    bigint NOT NULL CHECK (other_additions >= 0),
    compensation       bigint NOT NULL CHECK (compensation >= 0),
    match              bigint NOT NULL CHECK (match >= 0),
    PRIMARY KEY (participant_id, plan_id, year)
) WITH (fillfactor = 70);
COMMENT ON TABLE year_to_date IS 'The accumulators of a participant, plan and calendar year of pay dates. Unit: cents.';
COMMENT ON TABLE participants IS 'Census facts with their history: the first governs its date, a change the dates after.';

CREATE TABLE held_lines (
    lane           integer NOT NULL,
    entry          bigint  NOT NULL,
    trade_date     date    NOT NULL,
    plan_id        text    NOT NULL,
    participant_id text    NOT NULL,
    payroll_id     text    NOT NULL,
    year           integer NOT NULL,
    code           text    NOT NULL,
    requested      bigint  NOT NULL,
    recorded_at    timestamptz NOT NULL,
    item           bytea   NOT NULL,
    PRIMARY KEY (lane, entry)
);

CREATE TABLE run_parts (
    trade_date   date    NOT NULL,
    lane         integer NOT NULL,
    plan_id      text    NOT NULL,
    payroll_id   text    NOT NULL,
    lines        bigint  NOT NULL,
    submitted    bigint  NOT NULL,
    accepted     bigint  NOT NULL,
    rejected     bigint  NOT NULL,
    credited     bigint  NOT NULL,
    hash_total   numeric NOT NULL,
    released_for date,
    PRIMARY KEY (trade_date, lane, plan_id, payroll_id),
    CHECK (accepted + rejected = submitted)
);
CREATE INDEX run_parts_unreleased ON run_parts (plan_id, payroll_id) WHERE released_for IS NULL;
CREATE INDEX run_parts_released ON run_parts (released_for, lane);
COMMENT ON COLUMN run_parts.credited IS 'What was recorded and must be funded: accepted cents and the engine''s match on them.';
COMMENT ON TABLE run_parts IS 'One lane''s share of a payroll run on one date, added up when the lane has read the date.';

CREATE TABLE fundings (
    version     bigint PRIMARY KEY,
    payroll_id  text   NOT NULL,
    plan_id     text,
    cents       bigint NOT NULL,
    reference   text   NOT NULL,
    received_on date,
    trade_date  date   NOT NULL,
    recorded_at timestamptz NOT NULL,
    cause       text   NOT NULL,
    posted_for  date
);
CREATE UNIQUE INDEX fundings_by_reference ON fundings (payroll_id, coalesce(plan_id, ''), reference, (cents < 0));
COMMENT ON COLUMN fundings.cents IS 'Positive when cash came in, negative when the bank took it back.';

CREATE TABLE run_controls (
    payroll_id      text   NOT NULL,
    kind            text   NOT NULL CHECK (kind IN ('opened', 'closed')),
    version         bigint NOT NULL,
    line_count      bigint,
    cents_total     bigint,
    hash_total      numeric,
    body            jsonb  NOT NULL,
    trade_date      date   NOT NULL,
    PRIMARY KEY (payroll_id, kind, version)
);

CREATE TABLE run_releases (
    trade_date date   NOT NULL,
    plan_id    text   NOT NULL,
    payroll_id text   NOT NULL,
    cents      bigint NOT NULL CHECK (cents >= 0),
    cash_used  bigint NOT NULL CHECK (cash_used >= 0),
    PRIMARY KEY (plan_id, payroll_id, trade_date)
);
COMMENT ON TABLE run_releases IS 'The builder''s decisions: this part of this run trades on this date.';

CREATE TABLE run_waits (
    plan_id    text NOT NULL,
    payroll_id text NOT NULL,
    trade_date date NOT NULL,
    code       text NOT NULL,
    short_by   bigint NOT NULL,
    PRIMARY KEY (plan_id, payroll_id)
);
COMMENT ON TABLE run_waits IS 'Runs that could not be released at the last cut, and why.';

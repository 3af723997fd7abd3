-- What the allocation service owns: elections with their history, and the split of each released line.
-- Why: which election governed which money must be answerable for ever. Locks: none, new tables.

SELECT create_journal();
ALTER TABLE journal
    ADD COLUMN sources   text[],
    ADD COLUMN leg_cents bigint[],
    ADD COLUMN election  bigint,
    ADD CHECK (sources IS NULL OR cardinality(leg_cents) = cardinality(sources) * (cardinality(accounts) - 1));
COMMENT ON COLUMN journal.leg_cents IS 'Sources by funds, row after row; accounts are the funds and, last, what was released.';

CREATE TABLE elections (
    participant_id text     NOT NULL,
    plan_id        text     NOT NULL,
    version        bigint   NOT NULL,
    bucket         smallint NOT NULL,
    lane           integer  NOT NULL,
    received_for   date     NOT NULL,
    effective_from date     NOT NULL,
    recorded_at    timestamptz NOT NULL,
    identity       uuid     NOT NULL,
    parts          jsonb    NOT NULL,
    PRIMARY KEY (participant_id, plan_id, version)
);
COMMENT ON COLUMN elections.parts IS 'Source group to [[fund, basis points], ...] sorted by fund.';

CREATE TABLE held_requests (
    lane        integer NOT NULL,
    entry       bigint  NOT NULL,
    trade_date  date    NOT NULL,
    recorded_at timestamptz NOT NULL,
    item        bytea   NOT NULL,
    PRIMARY KEY (lane, entry)
);
COMMENT ON TABLE held_requests IS 'Requests that name an unknown fund, until it comes or their date closes.';

-- What the valuation service owns: positions, the snapshot of each closed date, prices, the custodian's holdings, proofs.
-- Why: a balance of any closed date has an answer for ever. Locks: none, new tables.

SELECT create_journal();
ALTER TABLE journal
    ADD COLUMN sources      text[],
    ADD COLUMN participants text[],
    ADD COLUMN fund_id      text,
    ADD COLUMN units        bigint[] CHECK (units IS NULL OR sums_to_zero(units)),
    ADD COLUMN order_id     text,
    ADD COLUMN version      integer,
    ADD COLUMN order_date   date,
    ADD COLUMN price        text;
-- Fills are long arrays. Compressing them costs four times the CPU of writing them as they are.
ALTER TABLE journal
    ALTER COLUMN accounts SET STORAGE EXTERNAL,
    ALTER COLUMN amounts SET STORAGE EXTERNAL,
    ALTER COLUMN sources SET STORAGE EXTERNAL,
    ALTER COLUMN participants SET STORAGE EXTERNAL,
    ALTER COLUMN units SET STORAGE EXTERNAL;
COMMENT ON TABLE journal IS 'kind fill: the legs of one order in one lane; amounts are cents of cost, units the fund''s smallest shares.';
CREATE INDEX journal_by_plan ON journal (plan_id, fund_id, lane);

CREATE TABLE positions (
    lane           integer  NOT NULL,
    participant_id text     NOT NULL,
    plan_id        text     NOT NULL,
    bucket         smallint NOT NULL,
    holdings       jsonb    NOT NULL,
    PRIMARY KEY (lane, plan_id, participant_id)
) WITH (fillfactor = 80);
COMMENT ON COLUMN positions.holdings IS 'source/fund to [units, cents of cost].';

CREATE TABLE balances (
    trade_date     date     NOT NULL,
    lane           integer  NOT NULL,
    participant_id text     NOT NULL,
    plan_id        text     NOT NULL,
    bucket         smallint NOT NULL,
    cents          bigint,
    holdings       jsonb    NOT NULL,
    PRIMARY KEY (trade_date, lane, plan_id, participant_id)
) PARTITION BY RANGE (trade_date);
DO $$ BEGIN
    CREATE TABLE balances_before PARTITION OF balances FOR VALUES FROM (MINVALUE) TO ('2022-01-01');
    FOR year IN 2022..2032 LOOP
        EXECUTE format('CREATE TABLE balances_%s PARTITION OF balances FOR VALUES FROM (%L) TO (%L)',
                       year, make_date(year, 1, 1), make_date(year + 1, 1, 1));
    END LOOP;
    CREATE TABLE balances_later PARTITION OF balances DEFAULT;
END $$;
COMMENT ON COLUMN balances.cents IS 'Exact value at the date''s prices, rounded half-up once; NULL while a held fund has no final price.';

CREATE TABLE lane_holdings (
    trade_date date    NOT NULL,
    lane       integer NOT NULL,
    plan_id    text    NOT NULL,
    fund_id    text    NOT NULL,
    units      numeric NOT NULL,
    cost       numeric NOT NULL,
    PRIMARY KEY (trade_date, lane, plan_id, fund_id)
);
COMMENT ON TABLE lane_holdings IS 'Sum of a lane''s positions per plan and fund at the close of a date.';

CREATE TABLE prices (
    fund_id     text    NOT NULL,
    price_date  date    NOT NULL,
    version     integer NOT NULL,
    status      text    NOT NULL,
    price       text    NOT NULL,
    value_date  date    NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (fund_id, price_date, version)
);
CREATE TABLE custodian_parts (
    date  date    NOT NULL,
    part  integer NOT NULL,
    parts integer NOT NULL,
    PRIMARY KEY (date, part)
);
CREATE TABLE custodian_holdings (
    date    date NOT NULL,
    part    integer NOT NULL,
    plan_id text NOT NULL,
    fund_id text NOT NULL,
    shares  text NOT NULL,
    PRIMARY KEY (date, part, plan_id, fund_id)
);
CREATE TABLE proofs (
    trade_date  date PRIMARY KEY,
    status      text NOT NULL CHECK (status IN ('proven', 'broken')),
    equations   jsonb NOT NULL,
    plan_cash   jsonb NOT NULL,
    recorded_at timestamptz NOT NULL
);

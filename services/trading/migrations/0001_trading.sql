-- What the trading service owns: instructed money, orders with their legs, confirmations, prices and the marks of days.
-- Why: orders and fills must add up to the unit against what was instructed and what was confirmed. Locks: none, new tables.

SELECT create_journal();
ALTER TABLE journal
    ADD COLUMN sources   text[],
    ADD COLUMN leg_cents bigint[],
    ADD COLUMN units     bigint[] CHECK (units IS NULL OR sums_to_zero(units)),
    ADD COLUMN order_id  text,
    ADD COLUMN version   integer,
    ADD COLUMN order_date date;
-- Fills and packs are long arrays. Compressing them costs four times the CPU of writing them as they are.
ALTER TABLE journal
    ALTER COLUMN accounts SET STORAGE EXTERNAL,
    ALTER COLUMN amounts SET STORAGE EXTERNAL,
    ALTER COLUMN sources SET STORAGE EXTERNAL,
    ALTER COLUMN units SET STORAGE EXTERNAL;
COMMENT ON TABLE journal IS 'kind instruct: one line by fund (leg_cents: sources by funds). kind fill: one order in one lane.';
CREATE INDEX journal_fills ON journal (order_id, lane) WHERE order_id IS NOT NULL;

CREATE TABLE orders (
    order_id   text    PRIMARY KEY,
    trade_date date    NOT NULL,
    plan_id    text    NOT NULL,
    fund_id    text    NOT NULL,
    side       text    NOT NULL CHECK (side IN ('buy', 'sell')),
    unit       text    NOT NULL CHECK (unit IN ('cents', 'shares')),
    wave       integer NOT NULL CHECK (wave >= 0),
    amount     bigint  NOT NULL CHECK (amount > 0),
    lane       integer NOT NULL,
    status     text    NOT NULL CHECK (status IN ('open', 'pending', 'confirmed', 'rejected', 'broken')),
    break_code text,
    version    integer,
    price      text,
    cents      bigint,
    units      bigint,
    carried_to date,
    recorded_at timestamptz NOT NULL,
    UNIQUE (plan_id, fund_id, side, unit, trade_date, wave),
    CHECK (status <> 'confirmed' OR (version IS NOT NULL AND units IS NOT NULL AND cents IS NOT NULL))
);
CREATE INDEX orders_by_date ON orders (trade_date, lane);
CREATE INDEX orders_rejected ON orders (status) WHERE status = 'rejected' AND carried_to IS NULL;

CREATE TABLE order_legs (
    leg_pack       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trade_date     date    NOT NULL,
    lane           integer NOT NULL,
    plan_id        text    NOT NULL,
    fund_id        text    NOT NULL,
    side           text    NOT NULL,
    order_id       text    NOT NULL,
    order_date     date    NOT NULL,
    total          bigint  NOT NULL CHECK (total >= 0),
    participants   text[]  NOT NULL,
    buckets        smallint[] NOT NULL,
    sources        text[]  NOT NULL,
    cents          bigint[] NOT NULL,
    CHECK (cardinality(participants) = cardinality(cents) AND cardinality(sources) = cardinality(cents))
);
ALTER TABLE order_legs
    ALTER COLUMN participants SET STORAGE EXTERNAL,
    ALTER COLUMN buckets SET STORAGE EXTERNAL,
    ALTER COLUMN sources SET STORAGE EXTERNAL,
    ALTER COLUMN cents SET STORAGE EXTERNAL;
CREATE INDEX order_legs_by_order ON order_legs (order_id, lane);
CREATE INDEX order_legs_by_date ON order_legs (order_date);
CREATE INDEX order_legs_by_lane ON order_legs (trade_date, lane);
COMMENT ON TABLE order_legs IS 'One lane''s (participant, source) legs of an order, packed; a rejected order''s packs join the next date''s.';

CREATE TABLE confirmations (
    order_id    text    NOT NULL REFERENCES orders,
    version     integer NOT NULL,
    status      text    NOT NULL,
    units       bigint,
    shares      text,
    price       text,
    cents       bigint,
    reason      text,
    lane        integer NOT NULL,
    value_date  date    NOT NULL,
    recorded_at timestamptz NOT NULL,
    verdict     text,
    PRIMARY KEY (order_id, version)
);
CREATE INDEX confirmations_broken ON confirmations (order_id) WHERE verdict LIKE 'broken:%';
CREATE INDEX confirmations_to_judge ON confirmations (order_id, version) WHERE verdict IS NULL;

CREATE TABLE prices (
    fund_id     text    NOT NULL,
    price_date  date    NOT NULL,
    version     integer NOT NULL,
    status      text    NOT NULL,
    price       text    NOT NULL,
    value_date  date    NOT NULL,
    fact_version bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (fund_id, price_date, version)
);

CREATE TABLE day_commands (
    version     bigint PRIMARY KEY,
    kind        text   NOT NULL CHECK (kind IN ('close', 'value')),
    trade_date  date   NOT NULL,
    cause       text   NOT NULL,
    recorded_at timestamptz NOT NULL,
    outcome     text
);
CREATE TABLE day_marks (
    kind        text NOT NULL CHECK (kind IN ('cut', 'value')),
    trade_date  date NOT NULL,
    marked_at   timestamptz NOT NULL DEFAULT now(),
    appended_at timestamptz,
    PRIMARY KEY (kind, trade_date)
);
COMMENT ON TABLE day_marks IS 'Which dates were cut and valued; markers not known to be appended are appended again.';
CREATE TABLE market_since (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), since timestamptz NOT NULL);

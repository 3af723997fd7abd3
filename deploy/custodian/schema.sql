-- The custodian's own books. Everything here is written in the transaction that moves read_positions.

CREATE TABLE IF NOT EXISTS read_positions (
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    PRIMARY KEY (topic, partition)
);

CREATE TABLE IF NOT EXISTS funds (
    fund_id text COLLATE "C" PRIMARY KEY,
    share_decimals smallint NOT NULL CHECK (share_decimals BETWEEN 0 AND 6)
);

CREATE TABLE IF NOT EXISTS prices (
    fund_id text COLLATE "C" NOT NULL,
    price_date text COLLATE "C" NOT NULL,
    price text NOT NULL,
    version integer NOT NULL,
    PRIMARY KEY (fund_id, price_date)
);

-- An order names dollars or shares, never both; figures stand here once it is done and was not rejected.
CREATE TABLE IF NOT EXISTS orders (
    order_id text COLLATE "C" PRIMARY KEY,
    plan_id text COLLATE "C" NOT NULL,
    fund_id text COLLATE "C" NOT NULL,
    trade_date text COLLATE "C" NOT NULL,
    side text NOT NULL CHECK (side IN ('buy', 'sell')),
    cents bigint,
    shares text,
    action text NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'pending', 'done')),
    booked_units bigint,
    booked_cents bigint,
    booked_price text,
    CHECK ((cents IS NULL) <> (shares IS NULL))
);
CREATE INDEX IF NOT EXISTS orders_in_hand ON orders (order_id) WHERE state <> 'done';

CREATE TABLE IF NOT EXISTS holdings (
    plan_id text COLLATE "C" NOT NULL,
    fund_id text COLLATE "C" NOT NULL,
    units bigint NOT NULL,
    PRIMARY KEY (plan_id, fund_id)
);

CREATE TABLE IF NOT EXISTS value_cuts (
    trade_date text COLLATE "C" PRIMARY KEY
);

-- Answers that may not have been published yet, in the order they must be; a row goes once the broker has it.
CREATE TABLE IF NOT EXISTS outbox (
    seq bigint PRIMARY KEY,
    kind text NOT NULL,
    key text NOT NULL,
    ce_id text NOT NULL,
    ce_time text NOT NULL,
    value bytea NOT NULL
);

-- Why: shares bought by a line that was reversed are sold, and the dollars go to the plan's cash. Locks: brief exclusive
-- locks on journal and order_legs; the new columns have no default, so nothing is rewritten.

ALTER TABLE journal ADD COLUMN proceeds bigint[];
COMMENT ON COLUMN journal.proceeds IS 'Of a fill of sold shares: confirmed cents by leg; amounts hold the cost that leaves the positions.';
CREATE INDEX journal_plan_cash ON journal (lane, plan_id) WHERE kind IN ('plan_cash', 'plan_cash_reversed');

ALTER TABLE order_legs ADD COLUMN units bigint[];
ALTER TABLE order_legs DROP CONSTRAINT order_legs_total_check;
ALTER TABLE order_legs
    ADD CONSTRAINT order_legs_sells_have_units CHECK ((side = 'sell') = (units IS NOT NULL)),
    ADD CONSTRAINT order_legs_units_by_leg CHECK (units IS NULL OR cardinality(units) = cardinality(cents)),
    ADD CONSTRAINT order_legs_sells_not_negative CHECK (side = 'buy' OR total >= 0);
COMMENT ON COLUMN order_legs.total IS 'In the unit of the order: cents of a buy (negative in a pack that cancels rejected legs), share units of a sell.';
COMMENT ON COLUMN order_legs.cents IS 'Dollars of a buy; of a sell the cost that its shares had.';

CREATE TABLE reversal_legs (
    lane           integer  NOT NULL,
    entry          bigint   NOT NULL,
    source         text     NOT NULL,
    fund_id        text     NOT NULL,
    trade_date     date     NOT NULL,
    plan_id        text     NOT NULL,
    participant_id text     NOT NULL,
    bucket         smallint NOT NULL,
    cause          uuid     NOT NULL,
    reverses       uuid     NOT NULL,
    instructed_for date     NOT NULL,
    cents          bigint   NOT NULL CHECK (cents > 0),
    tried_for      date,
    done           text     CHECK (done IN ('sold', 'cancelled')),
    done_for       date,
    bought_by      text,
    units          bigint   CHECK (units >= 0),
    PRIMARY KEY (lane, entry, source, fund_id),
    CHECK ((done IS NULL) = (done_for IS NULL)),
    CHECK ((done IS NOT DISTINCT FROM 'sold') = (units IS NOT NULL))
) WITH (fillfactor = 70);
CREATE INDEX reversal_legs_open ON reversal_legs (lane, entry) WHERE done IS NULL;
CREATE INDEX reversal_legs_sold ON reversal_legs (bought_by, lane) WHERE done = 'sold';
CREATE INDEX reversal_legs_by_date ON reversal_legs (trade_date, lane);
CREATE INDEX reversal_legs_done ON reversal_legs (done_for, lane);
COMMENT ON TABLE reversal_legs IS 'Legs of reversed lines: shares to sell, or rejected dollars to cancel; open while their buy has no accepted fill.';
COMMENT ON COLUMN reversal_legs.instructed_for IS 'The trade date of the leg that is taken back.';
COMMENT ON COLUMN reversal_legs.bought_by IS 'The order whose shares are sold.';

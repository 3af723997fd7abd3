-- Why: what is in flight at a value cut is what its decision left; asked later, a confirmation of the next date judged in
-- between made it look lost. Locks: none, a new table.

CREATE TABLE in_flight (
    trade_date date   NOT NULL,
    plan_id    text   NOT NULL,
    fund_id    text   NOT NULL,
    units      bigint NOT NULL,
    PRIMARY KEY (trade_date, plan_id, fund_id)
);
COMMENT ON TABLE in_flight IS 'Share units that the custodian says were traded, and that no fill of the date or before has: noted when a value date is decided.';

-- Why: a date may be valued once every fund that is held has its final price; which those are is asked twice a second, and
-- must not be added up from every order there ever was. Locks: none, a new table; orders are read once.

CREATE TABLE fund_units (
    fund_id text    PRIMARY KEY,
    units   numeric NOT NULL
);
COMMENT ON TABLE fund_units IS 'Share units of each fund in all plans together: what accepted confirmations bought, less what they sold.';
INSERT INTO fund_units (fund_id, units)
SELECT fund_id, sum(units * CASE side WHEN 'buy' THEN 1 ELSE -1 END) FROM orders WHERE status = 'confirmed'
GROUP BY fund_id;

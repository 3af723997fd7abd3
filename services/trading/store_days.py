"""Every SQL statement about commands and marks of business days: the day clock's, and what the pages show of them."""

from __future__ import annotations

PENDING_COMMANDS = "SELECT version, kind, trade_date FROM day_commands WHERE outcome IS NULL ORDER BY version"
# The first outcome stands: a clock that stood still meanwhile finds everything done, and would call it refused.
FINISH_COMMAND = "UPDATE day_commands SET outcome = $2 WHERE version = $1 AND outcome IS NULL"
LAST_MARK = "SELECT max(trade_date) FROM day_marks WHERE kind = $1"
INSERT_MARK = "INSERT INTO day_marks (kind, trade_date) VALUES ($1, $2) ON CONFLICT DO NOTHING"
UNVALUED_CUTS = """
SELECT trade_date FROM day_marks AS cut WHERE kind = 'cut' AND trade_date <= $1
  AND NOT EXISTS (SELECT FROM day_marks AS v WHERE v.kind = 'value' AND v.trade_date = cut.trade_date)
ORDER BY trade_date"""
UNAPPENDED = """
SELECT kind, trade_date FROM day_marks WHERE appended_at IS NULL
ORDER BY marked_at, CASE kind WHEN 'value' THEN 0 ELSE 1 END, trade_date"""
NOTE_APPENDED = "UPDATE day_marks SET appended_at = now() WHERE kind = $1 AND trade_date = $2"
MARKET_SINCE = """
INSERT INTO market_since (since) VALUES ($1)
ON CONFLICT (only_row) DO UPDATE SET since = market_since.since RETURNING since"""
UNPRICED_FUNDS = """
SELECT held.fund_id FROM fund_units AS held WHERE held.units > 0
  AND NOT EXISTS (SELECT FROM prices AS p WHERE p.fund_id = held.fund_id AND p.price_date = $1
                    AND p.status IN ('final', 'corrected'))"""
# Asked twice a second: what is held stands added up in fund_units, a row for each fund there ever was.
READY_TO_VALUE = f"""
SELECT EXISTS (SELECT FROM decided_days WHERE cycle = 'day' AND trade_date = $1)
   AND NOT EXISTS (SELECT FROM day_marks WHERE kind = 'value' AND trade_date = $1)
   AND NOT EXISTS (SELECT FROM orders WHERE trade_date = $1 AND status IN ('open', 'broken'))
   AND NOT EXISTS (SELECT FROM confirmations AS c JOIN orders AS o USING (order_id)
                   WHERE o.trade_date = $1 AND c.verdict IS NULL)
   AND NOT EXISTS ({UNPRICED_FUNDS})"""
MARKS_OF = "SELECT kind, appended_at IS NOT NULL AS appended FROM day_marks WHERE trade_date = $1"
DECIDED_OF = "SELECT cycle FROM decided_days WHERE trade_date = $1"
COMMANDS_OF = "SELECT kind, outcome, cause FROM day_commands WHERE trade_date = $1 ORDER BY version"

"""The registry of reason codes: everything the engine says no, not yet or beware with, and what to do about it.

Codes are public and stable: they are added, never renamed. ``error`` cuts cents or refuses a record, ``warning`` asks
somebody to look, ``info`` explains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]

FIRST_VERSION = "0.1.0"


@dataclass(frozen=True, slots=True)
class Code:
    """One reason: a sentence for the person who reads it, and the next step; ``since`` is a version of the engine."""

    code: str
    severity: Severity
    sentence: str
    what_to_do: str
    since: str = FIRST_VERSION


_RECORDS = (
    Code("MISSING_HEADERS", "error", "The record lacks its key or one of the headers ce_id, ce_source, ce_type.",
         "Send CloudEvents 1.0 in binary or structured mode, keyed as the catalogue says."),
    Code("NOT_JSON", "error", "The value is not JSON.",
         "Send the body as UTF-8 JSON with content-type application/json."),
    Code("WRONG_SHAPE", "error", "The body does not have the shape of its event type.",
         "Compare the body with the event's JSON schema; the detail names the first wrong field."),
    Code("MALFORMED", "error", "The record could not be read, although it says who sent it.",
         "Correct the record as the message says and send it under a new ce_id."),
    Code("UNKNOWN_EVENT_TYPE", "error", "The topic does not take events of this type.",
         "Check ce_type against the catalogue."),
    Code("NEWER_VERSION", "error", "The event has a major version that this engine does not read.",
         "Send the version in the catalogue, or upgrade the engine and replay the dead letter."),
    Code("NOT_SUPPORTED_YET", "error", "The engine reads this event but cannot carry it out yet.",
         "Do it outside the engine, or wait for a version that supports it."),
    Code("UNSIGNED_MARKER", "error", "A cut marker does not carry the engine's signature.",
         "Nobody but the engine writes markers: find out who did, and check the topic's write permissions."),
    Code("PARTICIPANT_KEY_TOO_LONG", "error", "The record's key is longer than 128 bytes.",
         "Use a shorter opaque id."),
    Code("KEY_MISMATCH", "error", "The record's key is not the id in its body.",
         "Key each record by the id its topic asks for."),
    Code("TOO_MANY_SOURCES", "error", "The line has more than 64 amounts.",
         "Send one amount per source."),
    Code("MISSPELT_FIELD", "warning", "An unknown field looks like a misspelt money field and was ignored.",
         "Check the spelling against the event's JSON schema; if money was meant, send it on a further line."),
    Code("PARKED", "error", "The record, or an earlier one of the participant, cannot be applied and is set aside.",
         "An operator repairs the cause and frees the participant; the money is counted as parked until then."),
)  # fmt: skip

_LINES = (
    Code("UNKNOWN_PLAN", "error", "The plan is not known.",
         "Publish the plan before the date is closed, or correct the plan id and send the line again."),
    Code("UNKNOWN_PARTICIPANT", "error", "The participant is not known in this plan.",
         "Publish the participant's census before the date is closed, or correct the id and send the line again."),
    Code("UNKNOWN_SOURCE", "error", "The source is not one the engine knows.",
         "Use a source name of the catalogue."),
    Code("SOURCE_NOT_IN_PLAN", "error", "The plan does not take this source from payroll.",
         "Remove the source; a plan with a match formula calculates the match itself."),
    Code("INVALID_AMOUNT", "error", "The line has a negative amount.",
         "Take money back with a reversal that names the line."),
    Code("NOT_ELIGIBLE", "error", "The participant may not contribute on this pay date.",
         "Check birth date, hire date and group in the census; refund what was withheld."),
    Code("TERMINATED", "error", "The pay date is after the participant's employment.",
         "Check the termination and rehire dates in the census."),
    Code("DUPLICATE_PAYROLL_LINE", "warning",
         "A line with the same plan, payroll, participant, pay date, pay and amounts came before under another id.",
         "Book it as a further line or withdraw it (`nestwork law resolve`); held it moves no money."),
    Code("NOTHING_TO_RESOLVE", "error", "No line of this id is held as a repeat of an earlier one.",
         "Name the ce_id and ce_source of a line that is held with DUPLICATE_PAYROLL_LINE and not resolved yet."),
    Code("IDEMPOTENCY_MISMATCH", "error", "The same ce_id came before with another body.",
         "Give each line its own ce_id; the first body stands."),
    Code("WAITING_FOR_EARLIER_LINE", "info", "An earlier line of the participant is held; this one follows it.",
         "Resolve what the earlier line waits for."),
    Code("WAITING_FOR_ITS_LINE", "info", "The line to be reversed has not come yet; it may be on its way.",
         "Nothing, if the line was sent; a reversal whose line does not come by the end of the date is rejected."),
    Code("REVERSES_UNKNOWN", "error", "The line to be reversed was never accepted.",
         "Name the ce_id of an accepted line of the same participant."),
    Code("REVERSES_TOO_MUCH", "error", "The reversal asks for more than is left of the line.",
         "Reverse at most what was credited and not reversed yet, by source."),
)  # fmt: skip

_LIMITS = (
    Code("NOT_FORFEITABLE", "error", "The money is vested, or its owner has not left or may still come back.",
         "Check the plan's vesting schedule and the census; forfeit after a cash-out or five one-year breaks."),
    Code("LIMIT_402G", "error", "The deferral exceeds the yearly limit of IRC 402(g).",
         "Stop deferrals for the year and refund what was withheld."),
    Code("LIMIT_CATCH_UP", "error", "The deferral exceeds the yearly limit and the catch-up room of IRC 414(v).",
         "Stop deferrals for the year and refund what was withheld."),
    Code("LIMIT_415C", "error", "The money exceeds the annual additions limit of IRC 415(c).",
         "Stop contributions for the year; return the cut employer money or after-tax money."),
    Code("LIMIT_401A17", "info", "Compensation above the cap of IRC 401(a)(17) does not count for the match.",
         "Nothing: no contributed cent was cut."),
    Code("ROTH_CATCH_UP_REQUIRED", "error", "Last year's wages require catch-up to be Roth (IRC 414(v)(7)).",
         "Send the catch-up as roth, or let the plan deem it Roth."),
    Code("LIMITS_NOT_LOADED", "warning", "No limits are loaded for the year of the pay date.",
         "Publish the year's limits; the line is held and decided then."),
)  # fmt: skip

_RUNS = (
    Code("PAYROLL_TOTALS_MISMATCH", "error", "The closing totals of the run differ from its lines.",
         "Send the missing lines or correct totals; the run waits."),
    Code("CASH_RETURNED_AFTER_TRADE", "warning", "The bank took cash back that the run had traded with.",
         "Get the cash again, or reverse the lines; the shares stay, and the employer owes the plan the difference."),
    Code("FUNDING_SHORT", "warning", "The cash of the run does not cover its accepted lines.",
         "Send the missing cash; the run waits and then trades as a whole."),
)  # fmt: skip

_INVESTING = (
    Code("INVALID_ELECTION", "error", "The percents of the election do not add up to 100, or name a fund twice.",
         "Send percents that add up to exactly 100 for each group of sources."),
    Code("UNKNOWN_FUND", "error", "The fund is not known.",
         "Publish the fund first, or correct its id."),
    Code("SHARE_SCALE_CHANGED", "error", "The fund's share decimals differ from those in the books.",
         "A fund keeps its scale; publish a new fund and exchange into it."),
)  # fmt: skip

_TRADING = (
    Code("INVALID_PRICE", "error", "The price is not a positive plain decimal, or more than 10,000,000 a share.",
         "Send the price in dollars as decimal text, like 23.47."),
    Code("PRICE_CONFLICT", "error", "Another price of the same fund, date and version says something else.",
         "Publish the right price with a higher version; the first one stands."),
    Code("UNKNOWN_ORDER", "error", "The confirmation names an order that was never sent.",
         "Ask the custodian; check the order id."),
    Code("CONFIRMATION_CONFLICT", "error", "Another confirmation with the same order and version says something else.",
         "Ask the custodian for a corrected confirmation with a new version; the first one stands."),
    Code("HOLDINGS_CONFLICT", "error", "Another part of the custodian's holdings of the date says something else.",
         "The first statement stands: send what its number of parts announces; right figures come with the next date."),
    Code("PRICE_MISMATCH", "error", "The confirmed price is not the fund's final price of the date.",
         "Get a corrected confirmation or a corrected price; the order is a break until then."),
    Code("AMOUNT_MISMATCH", "error", "The confirmed dollars are not those of the order, or of its shares and price.",
         "Get a corrected confirmation; the order is a break until then."),
    Code("SHARES_MISMATCH", "error", "The confirmed shares are a unit or more off the order, or off dollars / price.",
         "Get a corrected confirmation; the order is a break until then."),
    Code("SOLD_SINCE", "error", "The corrected order's shares were sold for a reversal after its first confirmation.",
         "Settle the difference with the custodian by hand; the first confirmation stands and the rest is in flight."),
    Code("ORDER_REJECTED", "warning", "The custodian rejected the order.",
         "Nothing to repair in the books: fund and legs join the next trade date. Ask the custodian why."),
)  # fmt: skip

_FILES = (
    Code("ROW_FIELD_COUNT", "error", "The row has another number of cells than the header.",
         "Look for a delimiter inside a cell that is not quoted, or for a row that is cut off."),
    Code("ROW_QUOTING", "error", "A quote stands in a quoted cell without being doubled.",
         "Export the file as RFC 4180 CSV: quotes inside quoted cells are doubled."),
    Code("ROW_NOT_TEXT", "error", "The row holds bytes that are not text in the map's encoding.",
         "Save the file as UTF-8, or say its encoding in the map."),
    Code("ROW_TOO_LONG", "error", "The row is longer than 64 KiB.",
         "A payroll row is some hundred bytes: look for a file of another kind, or old line ends (CR alone)."),
    Code("ROW_NOT_JSON", "error", "The row is not one JSON object.",
         "Send one JSON object per line (NDJSON)."),
    Code("ROW_VALUE_MISSING", "error", "A cell that every line needs is empty.",
         "Fill the named column; a row of totals is best left out of the file."),
    Code("ROW_INVALID_ID", "error", "An id is too long, holds control characters, or was rounded by a spreadsheet.",
         "Export ids as text of up to 128 characters."),
    Code("ROW_LOOKS_LIKE_TAX_ID", "error", "An id is written like a social security number; those are never stored.",
         "Map a column with opaque ids."),
    Code("ROW_INVALID_DATE", "error", "A date is not written as the map says, or not in the calendar.",
         "Correct the cell, or the date format in the map."),
    Code("ROW_INVALID_AMOUNT", "error", "An amount is not a plain number in the unit the map says.",
         "Use dollars with at most two decimals, or whole cents; 1,234.50 and (12.00) are understood."),
    Code("FILE_EMPTY", "error", "The file has no rows.",
         "Check the export."),
    Code("FILE_HEADER", "error", "The first row does not name the columns of the map, once each.",
         "Compare the header with the map; names must match exactly."),
    Code("FILE_ENCODING", "error", "The file is not text in the map's encoding.",
         "Save it as CSV UTF-8."),
    Code("FILE_QUOTE_OPEN", "error", "A quote is opened and not closed, so rows cannot be told apart.",
         "Correct the row that is named; nothing was sent."),
    Code("FILE_TOO_MANY_RUNS", "error", "The file names more than 10,000 payroll runs.",
         "The payroll id is probably mapped to a wrong column; nothing was sent."),
    Code("FILE_TOO_MANY_ERRORS", "error", "More than 100,000 rows cannot be read.",
         "The map is probably not the one of this file; nothing was sent."),
    Code("MAP_INVALID", "error", "The column map cannot be used.",
         "Correct the part of the map that is named."),
    Code("RECEIPT_MISSING", "warning", "The line was sent, but no receipt came in time.",
         "Look whether the participant is parked (`nestwork dlq ls`), then send the file again."),
    Code("DECIDED_BEFORE", "warning", "The same line came before and was not accepted in full.",
         "Look at its first receipt; nothing changed."),
)  # fmt: skip

CODES: dict[str, Code] = {
    code.code: code for code in (*_RECORDS, *_LINES, *_LIMITS, *_RUNS, *_INVESTING, *_TRADING, *_FILES)
}
"""Every code by name; the order is that of the documentation."""

"""The reason-code registry: each refusal, hold and warning has one code, one sentence and one thing to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Code:
    """One reason. ``error`` cut or stopped something, ``warning`` and ``info`` did not."""

    code: str
    severity: Severity
    sentence: str
    what_to_do: str


def _codes(*rows: tuple[str, Severity, str, str]) -> dict[str, Code]:
    return {row[0]: Code(*row) for row in rows}


CODES: dict[str, Code] = _codes(
    ("KEY_MISMATCH", "error", "The record's key is not the participant its body names.", "Send it again under the participant's key with a new id."),
    ("UNKNOWN_PLAN", "error", "No plan of this id was known by the end of the date.", "Publish the plan, then send the line again with a new id."),
    ("UNKNOWN_PARTICIPANT", "error", "No census of this participant in this plan was known by the end of the date.", "Publish the census, then send the line again with a new id."),
    ("UNKNOWN_SOURCE", "error", "This is not a source the engine knows.", "Use one of the contract's sources."),
    ("UNKNOWN_FUND", "error", "No fund of this id was known by the end of the date.", "Publish the fund, or elect another one."),
    ("UNKNOWN_ORDER", "error", "The confirmation names an order that was never placed.", "The custodian checks the order id."),
    ("UNKNOWN_EVENT_TYPE", "error", "This event type is not read from this topic.", "Check ce_type against the catalogue."),
    ("NEWER_VERSION", "error", "The event has a newer major version than this engine reads.", "Send the version of the catalogue, or upgrade the engine first."),
    ("SOURCE_NOT_IN_PLAN", "error", "The plan does not have this source.", "Correct the payroll set-up, or add the source to the plan."),
    ("NOT_ELIGIBLE", "error", "The participant may not contribute yet.", "Return the money through payroll."),
    ("TERMINATED", "error", "The participant had left before the pay date.", "Return the money through payroll, or correct the census."),
    ("INVALID_AMOUNT", "error", "An amount is negative; money is taken back by a reversal.", "Send a reversal that names the line."),
    ("MALFORMED", "error", "The event does not have the contract's shape.", "Correct it and send it again."),
    ("NOT_JSON", "error", "The value is not JSON.", "Correct it and send it again."),
    ("WRONG_SHAPE", "error", "A field is missing or has the wrong type.", "Correct it and send it again."),
    ("MISSING_HEADERS", "error", "The CloudEvents headers or the key are missing.", "Send binary or structured CloudEvents with a key."),
    ("TOO_MANY_SOURCES", "error", "A line has at most 64 amounts.", "Split the line, or correct it."),
    ("PARTICIPANT_KEY_TOO_LONG", "error", "A key has at most 128 bytes.", "Use a shorter participant id."),
    ("UNSIGNED_MARKER", "error", "A cut marker without the engine's signature.", "Only the engine ends a day; find out who wrote it."),
    ("LIMIT_402G", "error", "The yearly limit on elective deferrals is reached.", "Stop or lower the deferral; return the cut cents."),
    ("LIMIT_CATCH_UP", "error", "The yearly limit on deferrals and catch-up is reached.", "Stop or lower the deferral; return the cut cents."),
    ("LIMIT_415C", "error", "The yearly limit on additions to the account is reached.", "Return the cut cents."),
    ("LIMIT_401A17", "info", "Pay above the yearly compensation limit does not count for the match.", "Nothing."),
    ("ROTH_CATCH_UP_REQUIRED", "error", "Catch-up must be Roth for this participant, and the plan does not deem it so.", "Send catch-up as Roth."),
    ("LIMITS_NOT_LOADED", "error", "The limits of the pay date's year are not loaded.", "Load them; the line is decided then."),
    ("DUPLICATE_PAYROLL_LINE", "error", "The same payroll line came under another id.", "Release it if it is meant, else leave it."),
    ("IDEMPOTENCY_MISMATCH", "error", "This id was used before with another body.", "Use a new id for a new line."),
    ("REVERSES_UNKNOWN", "error", "The reversal names a line that was not accepted.", "Check the id it reverses."),
    ("REVERSES_TOO_MUCH", "error", "The reversal takes back more than is left of the line.", "Lower it."),
    ("PAYROLL_TOTALS_MISMATCH", "error", "The run's closing totals differ from the lines received.", "Send what is missing, or corrected totals."),
    ("FUNDING_SHORT", "error", "The cash received does not cover the run.", "Send the rest of the cash."),
    ("MISSPELT_FIELD", "warning", "A field looks like a misspelt money field and was ignored.", "Correct the name."),
    ("WAITING_FOR_EARLIER_LINE", "info", "An earlier line of this participant is held.", "Resolve the earlier line."),
    ("INVALID_PRICE", "error", "A price must be a decimal string greater than zero.", "Publish the right price."),
    ("INVALID_ELECTION", "error", "The percentages of an election must sum to 100 over different funds.", "Correct the election."),
    ("NOT_SUPPORTED_YET", "error", "This request is not supported yet.", "Wait for the release that brings it."),
    ("CONFIRMATION_CONFLICT", "error", "A second, different confirmation of the same version.", "The custodian sends a correction with a higher version."),
    ("PRICE_MISMATCH", "error", "The confirmation's price is not the final price of the date.", "Wait for the correction, or correct the price."),
    ("AMOUNT_MISMATCH", "error", "The confirmation's amount is not the order's.", "Wait for the correction."),
    ("SHARES_MISMATCH", "error", "The confirmed shares are a smallest share or more off amount / price.", "Wait for the correction."),
    ("ORDER_REJECTED", "info", "The custodian rejected the order; its money trades again on the next date.", "Nothing."),
    ("SHARE_SCALE_CHANGED", "error", "A fund's share decimals can't change.", "Publish a new fund."),
    ("PARKED", "error", "An event of this participant could not be applied; what follows for him waits behind it.", "Fix the cause, then replay."),
)  # fmt: skip

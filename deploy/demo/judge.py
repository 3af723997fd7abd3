"""Did everything come as it must? Compares what was sent with what was said; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from deploy.demo.result import Balances, Check, DayResult, KindOutcome, Latency
from deploy.demo.watch import Receipt, Seen
from deploy.population.faults import Submission
from deploy.population.payday import Payday
from shared.values.money import dollars_text

EXAMPLES_MAX = 3
EXECUTED = ("confirmed", "corrected")


def outcomes(payday: Payday, seen: Seen) -> list[KindOutcome]:
    """Per kind of line, how many got exactly what they must; the most frequent kind first."""
    sent: Counter[str] = Counter()
    right: Counter[str] = Counter()
    expected: dict[str, str] = {}
    examples: dict[str, list[str]] = {}
    for submission in payday.submissions:
        kind = submission.kind
        sent[kind] += 1
        wrong = differences(submission, seen)
        right[kind] += not wrong
        if wrong and len(examples.setdefault(kind, [])) < EXAMPLES_MAX:
            examples[kind].append(f"{submission.sent.ce_id}: {'; '.join(wrong)}")
        expected.setdefault(kind, _sentence(submission))
    return [
        KindOutcome(kind, count, expected[kind], right[kind], tuple(examples.get(kind, ())))
        for kind, count in sent.most_common()
    ]


def differences(submission: Submission, seen: Seen) -> list[str]:
    """What about a line's answers is not as it must be."""
    expected, found = submission.expected, seen.finals.get(submission.sent.ce_id)
    wrong: list[str] = []
    if expected.answered and found is None:
        wrong.append("no final receipt")
    elif not expected.answered and found is not None:
        wrong.append(f"a receipt ({found.status}) although nobody could be answered")
    elif found is not None:
        wanted = expected.status, expected.accepted_cents, expected.rejected_cents, sorted(expected.codes)
        got = found.status, found.accepted_cents, found.rejected_cents, sorted(found.cuts)
        if wanted != got:
            wrong.append(f"expected {wanted}, got {got}")
    second = seen.seconds.get(submission.sent.ce_id)
    told = None if second is None else (second.status, second.cuts)
    if told != expected.second:
        wrong.append(f"second sending: expected {expected.second}, got {told}")
    if expected.dead_letter and not seen.dead_letters[submission.sent.key, expected.dead_letter]:
        wrong.append(f"no dead letter {expected.dead_letter}")
    return wrong


def _sentence(submission: Submission) -> str:
    expected = submission.expected
    parts = [expected.status.replace("_", " ") if expected.answered else "no answer is possible"]
    parts += sorted(expected.codes)
    if expected.second is not None:
        status, codes = expected.second
        parts.append(f"then {' '.join([status, *sorted(codes)])}")
    if expected.dead_letter:
        parts.append(f"dead letter {expected.dead_letter}")
    return ", ".join(parts)


def unanswered(submissions: Iterable[Submission], seen: Seen, *, finally_: bool) -> list[Submission]:
    """Those that lack a receipt (``finally_``: the final one), the answer to a second sending, or a dead letter."""
    return [one for one in submissions if not _is_answered(one, seen, finally_)]


def _is_answered(one: Submission, seen: Seen, finally_: bool) -> bool:
    line, expected = one.sent.ce_id, one.expected
    if expected.answered and line not in seen.finals and (finally_ or line not in seen.held):
        return False
    if one.again is not None and line not in seen.seconds:
        return False
    return not expected.dead_letter or seen.dead_letters[one.sent.key, expected.dead_letter] > 0


def owed_by_run(payday: Payday, seen: Seen) -> dict[tuple[str, str], int]:
    """Cents credited (the engine's match included) by plan and run: what the employer must wire."""
    owed: Counter[tuple[str, str]] = Counter()
    for one in payday.submissions:
        receipt = seen.finals.get(one.sent.ce_id)
        if receipt is not None:
            owed[one.plan_id, one.payroll_id] += receipt.credited_cents
    return dict(owed)


def latency(payday: Payday, seen: Seen, handed_over: Mapping[str, float]) -> Latency | None:
    """Publish to first receipt over all lines of a payday; ``handed_over`` in seconds since 1970."""
    waits = sorted(
        receipt.stamp_ms - handed_over[one.sent.ce_id] * 1000
        for one in payday.submissions
        if (receipt := first_answer(one, seen)) is not None
    )
    if not waits:
        return None
    return Latency(*(round(_at(waits, share), 1) for share in (0.5, 0.99, 1.0)))


def first_answer(submission: Submission, seen: Seen) -> Receipt | None:
    """The first receipt of a line, be it only that it is held."""
    line = submission.sent.ce_id
    return seen.held.get(line) or seen.finals.get(line)


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def receipts_of(payday: Payday, seen: Seen) -> tuple[dict[str, int], dict[str, int]]:
    """How many receipts of each status a payday got, and how many lines got each code."""
    statuses: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for one in payday.submissions:
        line = one.sent.ce_id
        answers = [said for said in (seen.held.get(line), seen.finals.get(line), seen.seconds.get(line)) if said]
        statuses.update(receipt.status for receipt in answers)
        codes.update({code for receipt in answers for code in receipt.codes})
    return dict(statuses.most_common()), dict(codes.most_common())


def balances(pages: Iterable[Mapping[str, Any]], prices: Mapping[str, str]) -> tuple[Balances, list[str]]:
    """Balances at a close, and who has another one than shares × price, exact and rounded half-up once, gives."""
    cents: list[int] = []
    wrong: list[str] = []
    shares: dict[str, Decimal] = {}
    cost = unpriced = 0
    price_by_fund = {fund: Decimal(price) for fund, price in prices.items()}
    with localcontext() as context:
        context.prec = 60
        for entry in (entry for page in pages for entry in page["participants"]):
            value = Decimal(0)
            for position in entry["positions"]:
                fund, held = position["fund_id"], Decimal(position["shares"])
                value += held * price_by_fund[fund]
                shares[fund] = shares.get(fund, Decimal(0)) + held
                cost += position["cost_cents"]
            if entry["balance_cents"] is None:
                unpriced += 1
                continue
            cents.append(entry["balance_cents"])
            if int((value * 100).quantize(Decimal(1), ROUND_HALF_UP)) != entry["balance_cents"]:
                wrong.append(entry["participant_id"])
        by_fund = {
            fund: (str(held), int((held * price_by_fund[fund] * 100).quantize(Decimal(1), ROUND_HALF_UP)))
            for fund, held in sorted(shares.items())
        }
    return Balances(len(cents) + unpriced, sum(cents), cost, cents, by_fund, unpriced), wrong


def line_checks(payday: Payday, day: DayResult, seen: Seen) -> list[Check]:
    """The receipts of a date add up."""
    answerable = sum(one.expected.answered for one in payday.submissions)
    finals = sum(one.sent.ce_id in seen.finals for one in payday.submissions)
    return [
        _counts(f"{day.day}: lines that can be answered = final receipts", answerable, finals),
        _money(
            f"{day.day}: requested = accepted + rejected", day.requested_cents, day.accepted_cents + day.rejected_cents
        ),
    ]


def unheard(seen: Seen, day: DayResult) -> int:
    """How many of the date's orders, or of the answers to them, have not been read yet."""
    orders = orders_on(seen, day)
    return day.orders["total"] - sum(order["order_id"] in seen.confirmations for order in orders)


def custodian_of(seen: Seen, day: DayResult) -> dict[str, int]:
    """What the custodian said about the date's orders, by status; an order may have several answers."""
    found: Counter[str] = Counter()
    for order in orders_on(seen, day):
        found.update(said["status"] for said in seen.confirmations.get(order["order_id"], {}).values())
        found["repeated"] += seen.repeated_confirmations[order["order_id"]]
    return {name: count for name, count in found.most_common() if count}


def order_checks(days: Sequence[DayResult], seen: Seen) -> list[Check]:
    """Every credited cent became an order of its date; what the custodian refused is ordered again the next day."""
    checks: list[Check] = []
    refused = 0
    for day in days:
        ordered = sum(order["cents"] for order in orders_on(seen, day))
        checks.append(
            _money(f"{day.day}: credited + refused the day before = ordered", day.credited_cents + refused, ordered)
        )
        refused = sum(order["cents"] for order in orders_on(seen, day) if last_word(seen, order) == "rejected")
    return checks


def orders_on(seen: Seen, day: DayResult) -> list[Mapping[str, Any]]:
    """The orders of one trade date."""
    return [order for order in seen.orders.values() if order["trade_date"] == day.day.isoformat()]


def last_word(seen: Seen, order: Mapping[str, Any]) -> str:
    """What the custodian last said about an order."""
    said = seen.confirmations.get(order["order_id"])
    return str(said[max(said)]["status"]) if said else "nothing"


def cost_check(day: DayResult, days: Sequence[DayResult], seen: Seen) -> Check:
    """What the positions cost = what the custodian executed up to and including ``day``.

    An order that was pending at first is confirmed after the value cut of its date, so it belongs to the next one.
    """
    executed = 0
    for earlier in (one for one in days if one.day <= day.day):
        for order in orders_on(seen, earlier):
            in_time = earlier.day < day.day or not was_pending(seen, order)
            executed += order["cents"] if in_time and last_word(seen, order) in EXECUTED else 0
    paid = day.balances.cost_cents if day.balances else 0
    return _money(f"{day.day}: cost of all positions = orders executed", paid, executed)


def was_pending(seen: Seen, order: Mapping[str, Any]) -> bool:
    """Whether the custodian let the order wait."""
    return any(said["status"] == "pending" for said in seen.confirmations.get(order["order_id"], {}).values())


def balance_check(day: DayResult, wrong: Sequence[str]) -> Check:
    """Every balance recomputed outside the engine."""
    found = day.balances.participants if day.balances else 0
    return _counts(f"{day.day}: balances = those recomputed from shares × price", found, found - len(wrong))


def _money(name: str, left: int, right: int) -> Check:
    return Check(name, dollars(left), dollars(right), left == right)


def _counts(name: str, left: int, right: int) -> Check:
    return Check(name, f"{left:,}", f"{right:,}", left == right)


def dollars(cents: int) -> str:
    """Cents for people: "$1,234.56"."""
    whole, part = dollars_text(abs(cents)).split(".")
    return f"{'-' if cents < 0 else ''}${int(whole):,}.{part}"

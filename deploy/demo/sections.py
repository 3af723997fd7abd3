"""The closing page as tables of text: made once, printed on the terminal and written into the report alike. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from deploy.demo.judge import dollars
from deploy.demo.result import Balances, DayResult, Result
from shared.events.codes import CODES

Row = tuple[str, ...]
CENTS_PER_DOLLAR = 100


@dataclass(frozen=True)
class Section:
    """One table: what it shows, its headings, and rows of text; ``verdicts`` (one a row) where rows can fail."""

    title: str
    note: str
    headings: Row
    rows: Sequence[Row]
    verdicts: list[bool] = field(default_factory=list)
    text_columns: int = 1
    """How many columns hold words; the others hold figures."""


def sections(result: Result) -> list[Section]:
    """Everything there is to say, in the order a reader asks for it. A run that broke off says what it has."""
    made = [came_in(result)]
    if result.days:
        made += [receipts(result), codes(result), kinds(result), orders(result), balances(result), price_move(result)]
        made += [proof(result), outside(result), speed(result)]
    if result.journey is not None:
        made += [journey(result)]
    return [section for section in made if section.rows] + [next_steps(result)]


def _by_day(result: Result, rows: Iterable[tuple[str, Callable[[DayResult], str]]]) -> list[Row]:
    return [(name, *(tell(day) for day in result.days)) for name, tell in rows]


def _dates(result: Result) -> Row:
    return tuple(str(day.day) for day in result.days)


def came_in(result: Result) -> Section:
    """Who and what there was."""
    sizes = result.plan_sizes
    rows = _by_day(
        result,
        [
            ("plans paid", lambda day: f"{day.plans_paid:,}"),
            ("payroll lines", lambda day: f"{day.lines:,}"),
            ("records, second sendings included", lambda day: f"{day.sendings:,}"),
            ("pace of publishing", lambda day: day.pace),
            ("asked for", lambda day: dollars(day.requested_cents)),
        ],
    )
    chosen = "; ".join(f"{count:,} {name}" for name, count in result.elections.items())
    note = (
        f"{sum(sizes):,} made-up people in {len(sizes)} plans (largest {max(sizes, default=0):,}, median "
        f"{statistics.median(sizes) if sizes else 0:,.0f}), 20 funds, seed {result.options.seed}. Elections: {chosen}."
    )
    return Section("What came in", note, ("", *_dates(result)), rows)


def receipts(result: Result) -> Section:
    """Answers by status, and the cents of the final ones."""
    statuses = list(dict.fromkeys(status for day in result.days for status in day.receipts))
    rows = [
        (status.replace("_", " "), *(f"{day.receipts.get(status, 0):,}" for day in result.days)) for status in statuses
    ]
    rows += _by_day(
        result,
        [
            ("accepted", lambda day: dollars(day.accepted_cents)),
            ("rejected", lambda day: dollars(day.rejected_cents)),
            ("credited, with the match the engine calculates", lambda day: dollars(day.credited_cents)),
        ],
    )
    note = "A held line names an unknown plan or person; it gets its final answer when the date closes."
    return Section("Receipts", note, ("", *_dates(result)), rows)


def codes(result: Result) -> Section:
    """How many lines got each reason code, and what the code says."""
    names = list(dict.fromkeys(code for day in result.days for code in day.codes))
    rows = [(name, CODES[name].sentence, *(f"{day.codes.get(name, 0):,}" for day in result.days)) for name in names]
    return Section(
        "Reason codes",
        "Lines whose answers carry the code.",
        ("code", "meaning", *_dates(result)),
        rows,
        text_columns=2,
    )


def kinds(result: Result) -> Section:
    """Each kind of line with the outcome it must have, and how many had it."""
    rows, verdicts = [], []
    for day in result.days:
        for kind in day.kinds:
            rows.append((str(day.day), kind.kind, kind.expected, f"{kind.sent:,}", f"{kind.as_expected:,}"))
            verdicts.append(kind.ok)
            rows += [("", "", f"  but {example}", "", "") for example in kind.examples]
            verdicts += [False] * len(kind.examples)
    share = f"{result.options.fault_rate * 100:g} %"
    note = f"{share} of the lines are spoilt in each of twelve ways; each must get exactly the answer named here."
    headings = ("date", "kind of line", "must be", "sent", "is so")
    return Section("Each kind of line, and what must come of it", note, headings, rows, verdicts, text_columns=3)


def orders(result: Result) -> Section:
    """Orders by state, and what the custodian did besides."""

    def state(name: str) -> Callable[[DayResult], str]:
        return lambda day: f"{day.orders.get(name, 0):,}"

    def said(name: str) -> Callable[[DayResult], str]:
        return lambda day: f"{day.custodian.get(name, 0):,}"

    rows = _by_day(
        result,
        [
            ("orders", state("total")),
            ("filled", state("confirmed")),
            ("refused; ordered again on the next date", state("rejected")),
            ("still pending at the value cut", state("pending")),
            ("ordered", lambda day: dollars(day.ordered_cents)),
            ("confirmations the custodian had to correct", said("corrected")),
            ("confirmations it sent twice", said("repeated")),
        ],
    )
    note = (
        "One order per plan and fund. The simulated custodian keeps its own books and makes mistakes: wrong prices, "
        "wrong shares, late, twice, refused."
    )
    return Section("Orders and fills", note, ("", *_dates(result)), rows)


def balances(result: Result) -> Section:
    """What people have at each close."""
    valued = [day for day in result.days if day.balances is not None]
    tellers: list[tuple[str, Callable[[Balances], str]]] = [
        ("participants with a balance", lambda found: f"{found.participants:,}"),
        ("all balances", lambda found: dollars(found.total_cents)),
        ("what they cost", lambda found: dollars(found.cost_cents)),
        ("median balance", lambda found: dollars(int(statistics.median(found.cents))) if found.cents else ""),
        ("largest balance", lambda found: dollars(max(found.cents, default=0))),
    ]
    rows = [(name, *(tell(day.balances) for day in valued if day.balances)) for name, tell in tellers if valued]
    moved = _moved_cents(result)
    note = f"The price move of {result.days[-1].day} alone is worth {dollars(moved)}." if moved is not None else ""
    return Section("Balances", note, ("", *(str(day.day) for day in valued)), rows)


def _moved_cents(result: Result) -> int | None:
    """What the second date's prices did to the first date's shares."""
    first = result.days[0].balances
    if len(result.days) < 2 or first is None:
        return None
    prices = result.prices[1]
    after = sum(
        Decimal(shares) * Decimal(prices[fund]) * CENTS_PER_DOLLAR for fund, (shares, _) in first.by_fund.items()
    )
    return int(after) - sum(cents for _, cents in first.by_fund.values())


def price_move(result: Result) -> Section:
    """Prices of both dates and what is held at the last one."""
    last = next((day.balances for day in reversed(result.days) if day.balances), None)
    rows = []
    if last is not None and len(result.prices) == 2:
        for fund, (shares, cents) in sorted(last.by_fund.items(), key=lambda item: -item[1][1]):
            before, after = (Decimal(prices[fund]) for prices in result.prices)
            change = f"{(after / before - 1) * 100:+.2f} %"
            rows.append((fund, str(before), str(after), change, f"{Decimal(shares):,}", dollars(cents)))
    headings = ("fund", *(f"NAV {day}" for day in _dates(result)), "move", "shares held", "value")
    return Section("Funds", "Largest first, at the last close.", headings, rows)


def proof(result: Result) -> Section:
    """The conservation proof of each date, equation by equation."""
    rows, verdicts = [], []
    for day in result.days:
        for name, equation in day.proof.items():
            rows.append((str(day.day), name, f"{equation['left']:,}", f"{equation['right']:,}"))
            verdicts.append(bool(equation["ok"]))
    note = (
        "The engine's own: records, whole cents, and units of the smallest share. No date is published unless each "
        "equation holds exactly. The last one compares with the custodian's own books."
    )
    return Section("Proof, equation by equation", note, ("date", "equation", "left", "right"), rows, verdicts, 2)


def outside(result: Result) -> Section:
    """What this program added up itself."""
    rows = [(check.name, check.left, check.right) for check in result.checks]
    note = "Added up by this program from the public topics and pages alone; the engine's own verdict plays no part."
    verdicts = [check.ok for check in result.checks]
    return Section("Checked from outside", note, ("figures that must agree", "left", "right"), rows, verdicts)


def speed(result: Result) -> Section:
    """How long it took, and how long an integration waits for a receipt."""
    rows = _by_day(
        result,
        [
            ("receipts per second", lambda day: f"{day.receipts_per_second:,.0f}"),
            ("line to receipt, median", lambda day: f"{day.latency.p50:,.0f} ms" if day.latency else ""),
            ("line to receipt, 99th percentile", lambda day: f"{day.latency.p99:,.0f} ms" if day.latency else ""),
            ("payroll to last receipt", lambda day: _seconds(day, "payroll to last receipt")),
            ("close to proof", lambda day: _seconds(day, "close to proof")),
            ("first line to proof", lambda day: _seconds(day, "payroll to proof")),
            ("lines per second, first line to proof", lambda day: f"{day.lines_to_value_per_second:,.0f}"),
        ],
    )
    took = "; ".join(f"{name} {seconds:.1f} s" for name, seconds in result.seconds.items())
    note = (
        "The first payday is published all at once, so its latency is the length of the queue; the second comes at a "
        f"steady pace. Broker, database, services, custodian and this program share one machine. {took.capitalize()}."
    )
    return Section("Throughput and latency", note, ("", *(f"{day.day}, {day.pace}" for day in result.days)), rows)


def _seconds(day: DayResult, name: str) -> str:
    return f"{day.seconds[name]:.1f} s" if name in day.seconds else ""


def journey(result: Result) -> Section:
    """One participant's fills, from transaction to shares."""
    found = result.journey
    assert found is not None
    rows = [
        (
            entry["book_date"],
            entry["source"],
            entry["fund_id"],
            dollars(entry["cents"]),
            str(entry["price"]),
            entry["shares"],
        )
        for entry in sorted(found.transactions, key=lambda one: (one["book_date"], one["source"], one["fund_id"]))
    ]
    paid = ", ".join(
        f"{line['day']}: {dollars(line['accepted_cents'])} sent, {dollars(line['credited_cents'])} with the match"
        for line in found.lines
    )
    note = (
        f"{found.participant_id} of {found.plan_id}. {paid}. Balance at the last close: "
        f"{dollars(found.balance['balance_cents'])}."
    )
    headings = ("date", "source", "fund", "dollars", "NAV", "shares")
    return Section("One person's money, to the share", note, headings, rows, text_columns=3)


def next_steps(result: Result) -> Section:
    """Commands and documents to go on with."""
    rows: list[Row] = [(result.report, "this page with drawings, for a browser")] if result.report else []
    if result.kept_in:
        rows += _in_kept_cluster(result)
    else:
        rows.append(("nestwork demo --keep", "the same again, and the cluster stays up to look around in"))
    rows += [
        ("nestwork scenario run FILE", "your own case as a YAML file: events, prices, what you expect"),
        ("nestwork up", "a cluster to publish to"),
        ("docs/architecture.md", "how the four services work together"),
        ("docs/events/README.md", "every topic and event, with JSON Schemas and AsyncAPI"),
        ("docs/reason-codes.md", "every reason code and what to do about it"),
    ]
    return Section("Where to look next", "", ("", ""), rows, text_columns=2)


def _in_kept_cluster(result: Result) -> list[Row]:
    """What can be asked of the cluster that still runs."""
    folder = f"--folder {result.kept_in}"
    rows: list[Row] = [(f"nestwork status {folder}", "the cluster of this demo, still running")]
    if result.days:
        rows.append((f"nestwork prove {result.days[-1].day} {folder}", "the proof again, from logs and databases"))
    if result.journey is not None and result.days:
        who = result.journey.participant_id
        rows.append((f"nestwork explain {who} {result.days[-1].day} {folder}", "one person's figures and their causes"))
        rows.append((f"{result.pages['valuation']}/v1/participants/{who}/balance", "the same person's balance"))
    return [
        *rows,
        (f"nestwork dlq ls {folder}", "the faulty lines among the dead letters"),
        (f"nestwork down {folder}", "end it; its data stays in the folder"),
    ]

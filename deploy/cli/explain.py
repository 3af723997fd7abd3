"""`nestwork explain`: what made a participant's figures of a date."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

from deploy.cli.day import DateArgument, FolderOption
from deploy.cli.output import JsonOption, fail, out, print_document
from shared.values.money import dollars_text

Document = Mapping[str, Any]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(explain)


def explain(
    participant: Annotated[str, typer.Argument(help="The participant's id.")],
    trade_date: DateArgument,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain PARTICIPANT's figures of DATE, from the payroll line to the balance."""
    from deploy.operate.story import explain as tell
    from deploy.operate.target import TROUBLE, find_cluster
    from shared.runtime.logs import configure_logs

    configure_logs("explain", "ERROR")
    try:
        story = asyncio.run(tell(find_cluster(folder), participant, trade_date.date()))
    except TROUBLE as problem:
        fail(str(problem), as_json=as_json, participant_id=participant, trade_date=trade_date.date())
    if as_json:
        print_document({"ok": True, **story})
    else:
        out.print(story_tree(story), soft_wrap=False)


def story_tree(story: Document) -> Tree:
    """The story for people."""
    tree = Tree(Text(f"{story['participant_id']} on {story['trade_date']} (the date is {story['day']})"))
    for line in story["lines"]:
        _add_line(tree, line)
    for election in story["elections_received"]:
        since, percent = election["effective_from"], _percent(election["percent"])
        _leaf(tree, f"election {election['version']} of {election['plan_id']}, in force from {since}: {percent}")
    _add_waiting(tree, story)
    for order in story["orders"]:
        _add_order(tree, order)
    for leg in story["taken_back"]:
        done = f"{leg['done']} for {leg['done_for']}" if leg["done"] else "waits for its buy"
        shares = f", {leg['shares']} shares of {leg['bought_by']}" if leg["shares"] else ""
        cents = dollars_text(leg["cents"])
        _leaf(tree, f"taken back: {leg['source']} {leg['fund_id']} {cents} of {leg['instructed_for']}, {done}{shares}")
    for fill in story["fills"]:
        word = "fill taken back" if fill["kind"] == "fill_reversed" else "fill"
        bought = f"{fill['source']} {fill['shares']} of {fill['fund_id']} at {fill['price']}"
        cause = f"{fill['order_id']} v{fill['version']}"
        _leaf(tree, f"{word} {fill['trade_date']}: {bought} for {dollars_text(fill['cents'])} ({cause})")
    for balance in story["balances"]:
        _add_balance(tree, balance)
    return tree


def _leaf(tree: Tree, text: str) -> Tree:
    """A branch with literal text: an id may hold brackets, which must not be read as markup."""
    return tree.add(Text(text))


def _add_line(tree: Tree, line: Document) -> None:
    receipt, run = line["receipt"], line["run"]
    branch = _leaf(
        tree,
        f"{line['kind']} of {line['payroll_id']} ({line['plan_id']}), paid {line['pay_date']}: {receipt['status']}",
    )
    if receipt["requested_cents"] is not None:
        _leaf(
            branch,
            f"asked for {dollars_text(receipt['requested_cents'])}, cut {dollars_text(receipt['rejected_cents'])}",
        )
    _leaf(branch, f"credited {_money(receipt['credited'].items())} by rule set {line['rule_set']}")
    for cut in receipt["detail"].get("cuts", ()):
        _leaf(branch, f"cut: {' '.join(str(part) for part in cut)}")
    for limit in line["limits"]:
        _leaf(branch, f"limit: {' '.join(str(part) for part in limit)}")
    state = (
        f"released for {run['released_for']}" if run["released_for"] else f"waits: {run['waits'] or 'not decided yet'}"
    )
    _leaf(
        branch,
        f"run: credited {dollars_text(run['credited_cents'])}, funded {dollars_text(run['funded_cents'])}; {state}",
    )
    for split in line["split"]:
        election = split["election"]
        by = (
            election
            if isinstance(election, str)
            else f"election {election['version']} ({_percent(election['percent'])})"
        )
        legs = ", ".join(f"{leg['source']} {leg['fund_id']} {dollars_text(leg['cents'])}" for leg in split["legs"])
        _leaf(branch, f"split for {split['trade_date']} by {by}: {legs}")


def _add_waiting(tree: Tree, story: Document) -> None:
    for held in story["held"]:
        _leaf(tree, f"held: line of {held['payroll_id']}, {dollars_text(held['requested'])}, {held['code']}")
    for parked in story["parked"]:
        _leaf(tree, f"parked in {parked['service']}: {dollars_text(parked['cents'])}, {parked['detail']}")
    for letter in story["dead_letters"]:
        _leaf(tree, f"dead letter {letter['id']}: {letter['code']}, {letter['detail']}")


def _add_order(tree: Tree, order: Document) -> None:
    amount = dollars_text(order["amount"]) if order["unit"] == "cents" else f"{order['amount']} units"
    branch = _leaf(
        tree, f"order {order['order_id']}: {order['side']} {amount} of {order['fund_id']}, {order['status']}"
    )
    _leaf(branch, f"own legs {_money(order['own_legs'].items())}")
    for one in order["confirmations"]:
        figures = f" {one['shares']} at {one['price']} for {dollars_text(one['cents'])}" if one["shares"] else ""
        _leaf(branch, f"confirmation {one['version']} {one['status']}{figures}: {one['verdict'] or 'not judged yet'}")


def _add_balance(tree: Tree, balance: Document) -> None:
    cents = balance["balance_cents"]
    shown = (
        dollars_text(cents) if cents is not None else "not final: a held fund has no final price, or a fill is parked"
    )
    branch = _leaf(tree, f"balance in {balance['plan_id']}: {shown}")
    for position in balance["positions"]:
        _leaf(branch, f"{position['source']} {position['shares']} of {position['fund_id']} at {position['price']}, "
                      f"cost {dollars_text(position['cost_cents'])}")  # fmt: skip


def _money(parts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {dollars_text(cents)}" for name, cents in parts) or "nothing"


def _percent(groups: Mapping[str, Mapping[str, str]]) -> str:
    return "; ".join(
        f"{group}: " + ", ".join(f"{fund} {share} %" for fund, share in funds.items())
        for group, funds in groups.items()
    )

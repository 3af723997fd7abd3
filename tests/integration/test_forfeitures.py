"""Forfeiture and restoration (A12) on a real cluster: shares sold, dollars in the account, the same cents back."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import pytest_asyncio

from deploy.operate.books import open_books
from deploy.operate.forfeitures import forfeit, restore
from deploy.operate.proof import prove_books
from deploy.operate.target import OperatorError
from tests.support import events
from tests.support.payday import Payday
from tests.support.wire import codes, page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PLAN, PERCENTS = "VESTS", {"match": 60, "pre_tax": 100, "roth": 100}
HIRED, LEFT, BACK = {"hire_date": "2022-10-03"}, {"termination_date": "2026-11-16"}, {"rehire_date": "2026-11-17"}


@pytest_asyncio.fixture
async def law(payday: Payday) -> Payday:
    """The company with one more plan, which vests the match over six years."""
    await payday.wire.send(events.plan_fact(PLAN, vesting={"match": "graded_2_6"}))
    return payday


async def prove(law: Payday) -> None:
    """Close the open date; it must prove from logs and databases."""
    last = await law.close_day()
    async with open_books(law.wire.config) as books:
        proof = await prove_books(books, law.wire.config, last)
        assert [one for one in proof.equations if not one.ok] == []


async def account(law: Payday) -> dict[str, Any]:
    return dict((await page(f"{law.cluster.web_url('trading')}/v1/plans/{PLAN}/forfeitures"))[1])


async def vesting(law: Payday, person: str) -> dict[str, Any]:
    url = f"{law.cluster.web_url('contribution')}/v1/plans/{PLAN}/vesting?as_of={law.day}"
    (own,) = [one for one in (await page(url))[1]["participants"] if one.pop("participant_id") == person]
    return dict(own)


async def match_shares(law: Payday, person: str) -> tuple[str, int]:
    """A participant's shares of the match, and the plan's unallocated cash."""
    _, balances = await page(f"{law.cluster.web_url('valuation')}/v1/plans/{PLAN}/balances")
    (own,) = [one for one in balances["participants"] if one["participant_id"] == person]
    return next(one["shares"] for one in own["positions"] if one["source"] == "match"), balances["plan_cash_cents"]


async def accepted(law: Payday, requests: tuple[str, ...]) -> list[dict[str, Any]]:
    receipts = [await law.wire.receipt(ce_id) for ce_id in requests]
    assert {receipt["status"] for receipt in receipts} == {"accepted"}
    return receipts


async def test_a12_what_was_not_vested_is_sold_into_the_account_and_comes_back_in_the_same_cents(law: Payday) -> None:
    ann, config = law.person(), law.wire.config
    await law.wire.send(events.census(ann, PLAN, **HIRED))
    lines = [
        events.line(ann, {"match": cents, "pre_tax": 10_001}, payroll="a12", plan=PLAN) for cents in (800_001, 43_728)
    ]
    await law.wire.send(*lines, events.funding("a12", 863_731, plan_id=PLAN))
    await prove(law)
    await law.wire.send(events.census(ann, PLAN, **HIRED, **LEFT))
    await prove(law)
    assert await match_shares(law, ann) == ("843.729", 0)
    with pytest.raises(OperatorError, match="five one-year breaks"):
        await forfeit(config, PLAN, ann, "breaks", "leavers")
    looked = await forfeit(config, PLAN, ann, "cash_out", "leavers", dry_run=True)
    assert (looked.cents, looked.by_source, looked.sent) == (337_492, {"match": 337_492}, False)
    # Sent twice before it is decided: the same requests.
    sent, _ = [await forfeit(config, PLAN, ann, "cash_out", "leavers") for _ in range(2)]
    receipts = await accepted(law, sent.requests)
    assert sum(part["cents"] for one in receipts for part in one["credited"]) == -337_492
    assert (await forfeit(config, PLAN, ann, "cash_out", "leavers")).requests == ()
    with pytest.raises(OperatorError, match="not sold and confirmed yet"):
        await restore(config, PLAN, ann, "back", date(2026, 11, 27))
    await prove(law)
    assert await match_shares(law, ann) == ("506.237", 337_492)
    assert await vesting(law, ann) == {"years": 4, "percents": PERCENTS, "forfeited_cents": {"match": 337_492}}
    (leaver,) = (await account(law))["participants"]
    assert leaver == {"participant_id": ann, "source": "match", "cost_cents": 337_492, "cents": 337_492}

    with pytest.raises(OperatorError, match="does not work again"):
        await restore(config, PLAN, ann, "back", date(2026, 11, 27))
    await law.wire.send(events.census(ann, PLAN, **HIRED, **LEFT, **BACK))
    await prove(law)
    back, _ = [await restore(config, PLAN, ann, "back", date(2026, 11, 27)) for _ in range(2)]
    (receipt,) = await accepted(law, back.requests)
    assert receipt["credited"] == [{"source": "match", "cents": 337_492}]
    assert (await restore(config, PLAN, ann, "back", date(2026, 11, 27))).requests == ()
    await law.wire.send(events.funding("back", 337_492, plan_id=PLAN))
    await prove(law)
    assert await match_shares(law, ann) == ("843.729", 337_492)
    assert await vesting(law, ann) == {"years": 4, "percents": PERCENTS}
    sums = "SELECT other_additions FROM year_to_date WHERE plan_id = $1"
    assert [row["other_additions"] for row in await law.wire.query("contribution", sums, PLAN)] == [843_729]

    # Whoever leaves again is vested in the same part of all of it.
    await law.wire.send(events.census(ann, PLAN, **HIRED | BACK | {"termination_date": "2026-11-20"}))
    await prove(law)
    again = await forfeit(config, PLAN, ann, "cash_out", "again")
    assert (again.cents, len(again.requests)) == (337_492, 3)
    await accepted(law, again.requests)
    await prove(law)
    assert (await account(law))["forfeiture_cents"] == 674_984


async def test_the_engine_itself_refuses_to_forfeit_what_is_vested_or_another_person_s(law: Payday) -> None:
    ben, eve = law.person(), law.person()
    await law.wire.send(events.census(ben, PLAN, **HIRED), events.census(eve, PLAN, **HIRED, **LEFT))
    line = events.line(ben, {"match": 1_000}, payroll="bens", plan=PLAN)
    await law.wire.send(line, events.funding("bens", 1_000, plan_id=PLAN))
    identity = await _identity(law, line.ce_id)
    taken = [events.forfeiture(one, PLAN, identity, {"match": 100}) for one in (ben, eve)]
    await law.wire.send(*taken)
    said = [await law.wire.receipt(one.ce_id) for one in taken]
    assert [(one["status"], codes(one)) for one in said] == [
        ("rejected", ["NOT_FORFEITABLE"]), ("rejected", ["REVERSES_UNKNOWN"]),
    ]  # fmt: skip
    await prove(law)
    assert (await account(law))["forfeiture_cents"] == 674_984


async def _identity(law: Payday, ce_id: str) -> str:
    await law.wire.receipt(ce_id)
    sql = "SELECT cause FROM journal WHERE plan_id = $1 AND payroll_id = 'bens' AND kind = 'line'"
    return str((await law.wire.query("contribution", sql, PLAN))[0]["cause"].hex)

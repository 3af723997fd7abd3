"""Each guard of the protocol, taken away: the same fault that leaves no trace with it turns this suite red."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from datetime import date
from pathlib import Path

import aiohttp
import pytest

from shared.events.topics import CONTRIBUTIONS_RELEASED, PAYROLL_RECEIPTS
from shared.runtime.records import LANE_CLOSED
from tests.support.chaos_guards import POLL_RECORDS_VARIABLE, WITHOUT_VARIABLE
from tests.support.chaos_payday import DATES
from tests.support.chaos_run import Background, Disturb, Run, run_payday
from tests.support.chaos_store import is_inserting, lose_an_outbox_row, owners_of_lanes, slow_down_outbox
from tests.support.waiting import eventually

FETCHED_BYTES = 4_000
"""Some lines: a zombie that had decided all that it had fetched can do no harm."""
RED_SECONDS = 12.0
"""How long a run that may be unable to end is waited for."""


async def run_without(
    payday: Path, guards: str, *, disturb: Disturb | None = None, background: Background | None = None, workers: int = 1
) -> Run:
    """A run whose workers lack these guards, with small polls."""
    return await run_payday(
        payday,
        environment={WITHOUT_VARIABLE: guards, POLL_RECORDS_VARIABLE: "1" if workers > 1 else "5"},
        disturb=disturb,
        background=background,
        workers=workers,
        wait_seconds=RED_SECONDS if guards else 200.0,
    )


# -- sequence: a relay that dies before it could note what it published says everything again ------------------------


async def republish(run: Run, day: date, phase: str) -> None:
    """Kill contribution right after it published released money."""
    if (day.isoformat(), phase) == (DATES[0], "published"):
        run.wishes.wish("contribution", "after_publish", topic=CONTRIBUTIONS_RELEASED.name)


@pytest.mark.parametrize("guards", ["sequence", "sequence,gap"])
async def test_without_the_sequence_check_a_republication_is_seen(payday: Path, undisturbed: Run, guards: str) -> None:
    run = await run_without(payday, guards, disturb=republish)
    assert run.obeyed == ["contribution.after_publish"]
    assert run.departures(undisturbed) != []


async def test_with_the_sequence_check_a_republication_leaves_no_trace(payday: Path, undisturbed: Run) -> None:
    run = await run_without(payday, "", disturb=republish)
    assert run.obeyed == ["contribution.after_publish"]
    assert run.departures(undisturbed) == []


# -- gap: a decided row that never reaches the log -------------------------------------------------------------------


async def lose_released_money(run: Run, day: date, phase: str) -> None:
    """Delete one row of released money between its COMMIT and its publication, and see whether anybody alarms."""
    if (day.isoformat(), phase) != (DATES[0], "published"):
        return
    run.beside(_lose_released_money(run))


async def _lose_released_money(run: Run) -> None:
    url = run.running.database_url("contribution")
    await slow_down_outbox(url, CONTRIBUTIONS_RELEASED.name, LANE_CLOSED)

    async def is_under_way() -> bool:
        return await is_inserting(url)

    await eventually(is_under_way, seconds=60, every=0.2)
    run.running.hold("contribution-0")
    run.wishes.wish("contribution", "after_commit")
    await run.wishes.obeyed("contribution", "after_commit")
    is_lost = await lose_an_outbox_row(url, CONTRIBUTIONS_RELEASED.name, LANE_CLOSED)
    run.running.release("contribution-0")
    if is_lost:
        run.notes.append("lost")

    async def alarmed() -> bool:
        return bool(await stopped_lanes(run, "allocation"))

    with contextlib.suppress(AssertionError):
        await eventually(alarmed, seconds=RED_SECONDS)
        run.notes.append("alarm")
        run.enough.set()


async def stopped_lanes(run: Run, service: str) -> dict[str, str]:
    """The lanes that a service's first worker stopped, with the reason."""
    async with aiohttp.ClientSession() as http:
        try:
            async with http.get(f"{run.running.web_url(service)}/readyz") as answer:
                found: dict[str, str] = (await answer.json())["stopped"]
                return found
        except aiohttp.ClientError:
            return {}


async def test_a_lost_row_stops_the_lane_and_alarms(payday: Path) -> None:
    run = await run_payday(payday, disturb=lose_released_money, wait_seconds=RED_SECONDS + 30)
    assert run.notes == ["lost", "alarm"], run.differences


async def test_without_the_gap_alarm_a_lost_row_is_seen_by_nobody_but_the_proof(payday: Path, undisturbed: Run) -> None:
    run = await run_without(payday, "gap", disturb=lose_released_money)
    assert run.notes == ["lost"]
    assert run.departures(undisturbed) != []


# -- identity: the same request at a new offset ----------------------------------------------------------------------


@pytest.mark.chaos_short
async def test_without_identities_a_resend_is_seen(payday: Path, undisturbed: Run) -> None:
    run = await run_without(payday, "identity")
    assert run.departures(undisturbed) != []


# -- claim and position: a frozen owner wakes up after others took over ----------------------------------------------


async def freeze_an_owner(run: Run) -> None:
    """Freeze a contribution worker that is about to decide a line; it goes on when others have decided it."""
    run.wishes.wish("contribution", "before_lock", "freeze", topic=PAYROLL_RECEIPTS.name, buffered=FETCHED_BYTES)
    pid = await run.wishes.obeyed("contribution", "before_lock")
    try:
        owners = set((await owners_of_lanes(run.running.database_url("contribution"))).values())
        assert len(owners) > 1, "both workers own lanes"

        async def others_own_everything() -> bool:
            now = await owners_of_lanes(run.running.database_url("contribution"))
            return len(set(now.values())) == 1

        await eventually(others_own_everything, seconds=60)
        await run.published.wait()
    finally:
        os.kill(pid, signal.SIGCONT)
    run.notes.append("woken")
    await asyncio.Event().wait()


@pytest.mark.chaos_short
async def test_a_zombie_leaves_no_trace(payday: Path, undisturbed: Run) -> None:
    run = await run_without(payday, "", background=freeze_an_owner, workers=2)
    assert run.notes == ["woken"], run.differences
    assert run.departures(undisturbed) == []


async def test_without_claim_and_position_checks_a_zombie_is_seen(payday: Path, undisturbed: Run) -> None:
    run = await run_without(payday, "claim,offsets", background=freeze_an_owner, workers=2)
    assert run.notes == ["woken"], run.differences
    assert run.departures(undisturbed) != []

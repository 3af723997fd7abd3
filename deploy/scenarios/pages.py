"""Read the services' pages; a worker that is being restarted is asked again until the time is up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import aiohttp

from deploy.scenarios.filerun import FileRun

RETRY_SECONDS = 0.05
RETRY_SECONDS_MAX = 0.5
NOTHING_KNOWN = "not_closed"
"""Valuation's code for a date of which it has nothing to show."""
UNKNOWN_RUN = "unknown_payroll"
"""Contribution's code for a payroll run it never heard of."""

NOTHING_HELD = "nothing_held"
"""Valuation's code for returns of somebody who has no period to have one in."""

Page = Mapping[str, Any]


class PageNotReady(Exception):
    """A page did not say in time what was waited for."""

    def __init__(self, url: str, last: str) -> None:
        super().__init__(f"{url} ({last})")


async def said(run: FileRun, path: str, what: str, asked: Iterable[Awaitable[Any]]) -> list[Any] | None:
    """What pages say; None, and a difference of the file, when one of them says nothing in time."""
    try:
        return await asyncio.gather(*asked)
    except PageNotReady as problem:
        run.differ(path, what, str(problem))
        return None


class Pages:
    """Trading's days, valuation's balances and, where they are asked for, contribution's vested percents."""

    def __init__(
        self, http: aiohttp.ClientSession, trading_url: str, valuation_url: str, contribution_url: str = ""
    ) -> None:
        self._http = http
        self._trading_url = trading_url.rstrip("/")
        self._valuation_url = valuation_url.rstrip("/")
        self._contribution_url = contribution_url.rstrip("/")
        self._together = asyncio.Semaphore(16)

    async def trading_day(self, day: date, ready: Callable[[Page], bool], seconds: float) -> Page:
        """Trading's page of ``day`` once it is ``ready``. Raises ``PageNotReady`` after ``seconds``."""
        return await self._poll(f"{self._trading_url}/v1/days/{day}", ready, seconds)

    async def plan_balances(self, plan_id: str, as_of: date, seconds: float) -> Page:
        """Positions and balances of a plan at a proven close. Raises ``PageNotReady``."""
        url = f"{self._valuation_url}/v1/plans/{quote(plan_id, safe='')}/balances?as_of={as_of}"
        async with self._together:
            return await self._poll(url, lambda _: True, seconds)

    async def known_balances(self, plan_id: str, as_of: date, known_at: date | None, seconds: float) -> Page | None:
        """The same as it was known at the end of a date; None when nothing was known then. Raises ``PageNotReady``."""
        url = f"{self._valuation_url}/v1/plans/{quote(plan_id, safe='')}/balances?as_of={as_of}"
        if known_at is not None:
            url += f"&known_at={known_at}"
        async with self._together:
            page = await self._poll(url, lambda _: True, seconds, NOTHING_KNOWN)
        return None if page.get("code") == NOTHING_KNOWN else page

    async def totals(
        self, people: Sequence[str], as_of: date, known_at: date | None, seconds: float
    ) -> dict[str, int | None]:
        """The cents of people over all their plans, as known at the end of a date. Raises ``PageNotReady``."""
        known = "" if known_at is None else f"&known_at={known_at}"
        found = await asyncio.gather(*[self._balance(person, f"as_of={as_of}{known}", seconds) for person in people])
        return {person: page["balance_cents"] for person, page in zip(people, found, strict=True)}

    async def _balance(self, participant_id: str, asked: str, seconds: float) -> Page:
        url = f"{self._valuation_url}/v1/participants/{quote(participant_id, safe='')}/balance?{asked}"
        async with self._together:
            return await self._poll(url, lambda _: True, seconds)

    async def plan_vesting(self, plan_id: str, as_of: date, seconds: float) -> Page:
        """Vested percents of everybody in a plan, by the facts of a date. Raises ``PageNotReady``."""
        url = f"{self._contribution_url}/v1/plans/{quote(plan_id, safe='')}/vesting?as_of={as_of}"
        async with self._together:
            return await self._poll(url, lambda _: True, seconds)

    async def returns(self, participant_id: str, to: date, seconds: float) -> Page | None:
        """What a participant's money earned until a proven close; None of one without two. Raises ``PageNotReady``."""
        url = f"{self._valuation_url}/v1/participants/{quote(participant_id, safe='')}/returns?to={to}"
        async with self._together:
            page = await self._poll(url, lambda _: True, seconds, NOTHING_HELD)
        return None if page.get("code") == NOTHING_HELD else page

    async def payroll_run(self, payroll_id: str, seconds: float) -> Page | None:
        """What a payroll run waits for since the last cut; None of an unknown one. Raises ``PageNotReady``."""
        url = f"{self._contribution_url}/v1/payrolls/{quote(payroll_id, safe='')}"
        async with self._together:
            page = await self._poll(url, lambda _: True, seconds, UNKNOWN_RUN)
        return None if page.get("code") == UNKNOWN_RUN else page

    async def _poll(self, url: str, ready: Callable[[Page], bool], seconds: float, final_code: str = "") -> Page:
        """The page once it is ``ready``, or the problem document whose ``code`` is an answer, too."""
        last, delay = "no answer", RETRY_SECONDS
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        async with self._http.get(url) as response:
                            last = (await response.text())[:300]
                            if response.status == HTTPStatus.OK and ready(page := await response.json()):
                                return dict(page)
                            if final_code and response.status == HTTPStatus.NOT_FOUND:
                                said = await response.json(content_type=None)
                                if said.get("code") == final_code:
                                    return dict(said)
                    except (aiohttp.ClientError, ValueError) as problem:
                        last = repr(problem)
                    await asyncio.sleep(delay)
                    delay = min(delay * 1.3, RETRY_SECONDS_MAX)
        except TimeoutError:
            raise PageNotReady(url, last) from None

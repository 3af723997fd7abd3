"""The pages: what is asked, what is read, which template shows it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from deploy.console import reading
from deploy.console.actions import Actions, Asked, NotAllowed
from deploy.console.workers import ask_workers
from deploy.operate.books import SERVICES
from deploy.operate.letters import show_letter
from deploy.operate.story import NothingKnown, explain
from shared.runtime.settings import Settings
from shared.runtime.tokens import Caller, Refused, Role

SKIP_MAX = 10**7
TEXT_CHARACTERS_MAX = 256
REVEALING = ("detail", "headers", "key", "value", "items")
"""What may repeat anything a sender wrote."""

READS = {
    "/": "overview",
    "/days": "days",
    "/days/{date}": "day",
    "/runs": "runs",
    "/held": "held",
    "/held/{place}": "held_line",
    "/breaks": "breaks",
    "/letters": "letters",
    "/letter": "letter",
    "/explain": "explain",
    "/actions": "actions",
}
WRITES = {"/letters/act": "act_on_letters", "/held/{place}": "act_on_held", "/actions/{service}/{action}": "decide"}

Form = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class View:
    """What a page answers."""

    template: str
    title: str
    values: Mapping[str, Any]
    status: int = 200


class Pages:
    """One method per page; who calls may do what it does, the console has looked."""

    def __init__(self, config: Settings, actions: Actions, workers: Sequence[str] = ()) -> None:
        self._config, self._actions, self._workers = config, actions, workers

    async def look(self) -> None:
        """Read something small. Raises one of ``TROUBLE``."""
        await reading.last_proof(self._config)

    async def overview(self, _: web.Request, __: Caller) -> View:
        """What needs somebody now."""
        workers, now = await asyncio.gather(ask_workers(self._workers), reading.overview(self._config))
        return View("overview.html", "Overview", {"now": now, "total": reading.total, "workers": workers})

    async def days(self, _: web.Request, __: Caller) -> View:
        """The last business days."""
        return View("days.html", "Business days", {"days": await reading.days(self._config)})

    async def day(self, request: web.Request, _: Caller) -> View:
        """One date, lane by lane."""
        found = await reading.day(self._config, _date(request.match_info["date"]))
        return View("day.html", f"Business day {found['trade_date']}", found)

    async def runs(self, request: web.Request, _: Caller) -> View:
        """Payroll runs: totals, cash, waits."""
        payroll, dated, skip = _text(request, "payroll"), _text(request, "date"), _skip(request)
        shown, more = await reading.runs(
            self._config, payroll=payroll, dated=_date(dated) if dated else None, skip=skip
        )
        values = {"runs": shown, "payroll": payroll or "", "dated": dated or ""}
        return View("runs.html", "Payroll runs", values | _paging(request, skip, more))

    async def held(self, request: web.Request, _: Caller) -> View:
        """Suspense by reason, and the held lines."""
        code, skip = _text(request, "code"), _skip(request)
        shown, more = await reading.held_lines(self._config, code, skip)
        values = {"suspense": await reading.suspense(self._config), "lines": shown, "code": code or ""}
        return View("held.html", "Suspense and held money", values | _paging(request, skip, more))

    async def held_line(self, request: web.Request, _: Caller) -> View:
        """One held line with the way to release it."""
        lane, entry = _place(request.match_info["place"])
        line = await reading.held_line(self._config, lane, entry)
        if line is None:
            raise NotAllowed("this line is not held any more")
        values = {"line": line, "needs_two": self._actions.needs_two(abs(line["requested"]))}
        return View("held_line.html", f"Held line {line['ce_id']}", values)

    async def act_on_held(self, request: web.Request, caller: Caller, form: Form) -> str:
        """Book or withdraw a held repeat."""
        lane, entry = _place(request.match_info["place"])
        line = await reading.held_line(self._config, lane, entry)
        if line is None or not line["may_act"]:
            raise NotAllowed("this line does not wait for an operator's word")
        kind = _one(form, "do")
        stake = await self._actions.stake_of_held(kind, lane, entry, line["ce_source"], line["ce_id"])
        return _went(await self._actions.ask(stake, caller.name, _one(form, "reason")))

    async def breaks(self, _: web.Request, __: Caller) -> View:
        """What the custodian said that is not believed, and dates that are not proven."""
        return View("breaks.html", "Breaks", await reading.breaks(self._config))

    async def letters(self, request: web.Request, _: Caller) -> View:
        """Dead letters by class; with a service, one by one."""
        service, code, skip = _text(request, "service"), _text(request, "code"), _skip(request)
        if service is not None and service not in SERVICES:
            raise Refused(400, "service", "There is no such service.")
        replayed, more = _text(request, "replayed") == "yes", False
        shown: list[reading.Row] = []
        if service:
            shown, more = await reading.letters(self._config, service, code, replayed=replayed, skip=skip)
        values = {
            "classes": await reading.letter_classes(self._config), "letters": shown, "service": service or "",
            "code": code or "", "replayed": replayed,
        }  # fmt: skip
        return View("letters.html", "Dead letters", values | _paging(request, skip, more))

    async def letter(self, request: web.Request, caller: Caller) -> View:
        """One letter; its bytes are for operators, because a sender may have put anything into them."""
        document = await show_letter(self._config, _text(request, "id") or "")
        bodies = {name: document.pop(name) for name in REVEALING if name in document}
        if Role.OPERATOR not in caller.roles:
            bodies = {}
        meaning = reading.sentence(str(document.get("code", "PARKED")))
        values = {"letter": document, "bodies": bodies, "meaning": meaning, "id": document["id"]}
        return View("letter.html", f"Letter {document['id']}", values)

    async def act_on_letters(self, _: web.Request, caller: Caller, form: Form) -> View | str:
        """Try out a replay, or ask for it; what is asked for must be what was tried out."""
        again = _one(form, "again") == "yes"
        stake = await self._actions.stake_of_letters(form.get("id", []), again=again)
        seal = hashlib.sha256("\n".join((stake.kind, str(stake.cents), *stake.subjects)).encode()).hexdigest()
        if _one(form, "do") == "replay":
            if _one(form, "seal") != seal:
                raise NotAllowed("the letters are not what the dry run showed; try it out again")
            return _went(await self._actions.ask(stake, caller.name, _one(form, "reason")))
        values = {
            "stake": stake, "ends": await self._actions.try_out(stake), "seal": seal, "again": again,
            "needs_two": self._actions.needs_two(stake.cents), "alone_cents": self._actions.alone_cents,
        }  # fmt: skip
        return View("dry_run.html", "Dry run of a replay", values)

    async def explain(self, request: web.Request, _: Caller) -> View:
        """What made a participant's figures."""
        participant, dated = _text(request, "participant"), _text(request, "date")
        values: dict[str, Any] = {"participant": participant or "", "dated": dated or "", "story": None, "problem": ""}
        if participant and dated:
            try:
                values["story"] = await explain(self._config, participant, _date(dated))
            except NothingKnown as nothing:
                values["problem"] = str(nothing)
        return View("explain.html", "Explain", values)

    async def actions(self, request: web.Request, caller: Caller) -> View:
        """What waits for a second person, and what was done."""
        found = await reading.actions(self._config)
        values = {"actions": found, "me": caller.name, "just": _text(request, "just") or ""}
        return View("actions.html", "Actions", values)

    async def decide(self, request: web.Request, caller: Caller, form: Form) -> str:
        """Agree to somebody else's action, or decline it."""
        service, number = request.match_info["service"], _number(request.match_info["action"])
        if _one(form, "do") == "agree":
            return _went(await self._actions.agree(service, number, caller.name))
        return _went(await self._actions.decline(service, number, caller.name))


def _went(asked: Asked) -> str:
    return "/actions?" + urlencode({"just": f"{asked.service}:{asked.action}"})


def _one(form: Form, name: str) -> str:
    found = form.get(name, [""])
    return found[0] if len(found) == 1 else ""


def _text(request: web.Request, name: str) -> str | None:
    text = request.query.get(name, "").strip()
    if len(text) > TEXT_CHARACTERS_MAX or "\x00" in text:
        raise Refused(400, name, f"{name} is too long or holds characters that cannot be.")
    return text or None


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused(400, "date", "Write the date as 2026-11-20.") from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise Refused(404, "number", "There is no such page.")
    return int(text)


def _place(text: str) -> tuple[int, int]:
    lane, _, entry = text.partition("-")
    if len(lane) > 4:
        raise Refused(404, "place", "There is no such page.")
    return _number(lane), _number(entry)


def _skip(request: web.Request) -> int:
    return min(_number(request.query.get("skip", "0") or "0"), SKIP_MAX)


def _paging(request: web.Request, skip: int, more: bool) -> dict[str, str]:
    """Addresses of the next and the previous page; empty where there is none."""

    def at(place: int) -> str:
        return request.path + "?" + urlencode({**request.query, "skip": str(place)})

    following = at(skip + reading.PAGE_ROWS) if more else ""
    return {"following": following, "previous": at(max(0, skip - reading.PAGE_ROWS)) if skip else ""}

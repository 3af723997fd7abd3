"""The judge's part about answers: each sending has one, with the right cents and codes, in the order of the log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from tests.support import events
from tests.support.chaos_logs import Log, place_of, text_of
from tests.support.chaos_poison import ANSWER, LETTER

Request = tuple[str, str]
"""Source and id."""
MISMATCH, WAITING = "IDEMPOTENCY_MISMATCH", "WAITING_FOR_EARLIER_LINE"


class Outcome(NamedTuple):
    """What an answer says, as far as money and reasons go; requests that are not about cents have none."""

    status: str
    accepted: int | None
    rejected: int | None
    credited: tuple[tuple[str, int], ...]
    codes: frozenset[str]


def said_by(body: Any) -> Outcome:
    """An answer's outcome."""
    credited = sorted((part["source"], part["cents"]) for part in body.get("credited", ()) if part["cents"])
    codes = frozenset(one["code"] for one in body["codes"])
    return Outcome(body["status"], body.get("accepted_cents"), body.get("rejected_cents"), tuple(credited), codes)


def requested(record: Any) -> int:
    """The cents a line asks for; one with a negative amount asks for its positive ones."""
    return sum(max(0, part["cents"]) for part in orjson.loads(record.value)["amounts"])


def due_of_line(record: Any, people: Mapping[str, int]) -> Outcome:
    """The decision of a line: nobody of the made-up company comes near a limit, so a good one is accepted in full."""
    if text_of(record, ANSWER):
        rejected = 0 if text_of(record, LETTER) else requested(record)
        return Outcome("rejected", 0, rejected, (), frozenset({text_of(record, ANSWER)}))
    body = orjson.loads(record.value)
    if body["participant_id"] not in people:
        return Outcome("rejected", 0, requested(record), (), frozenset({"UNKNOWN_PARTICIPANT"}))
    credited = sorted((part["source"], part["cents"]) for part in body["amounts"] if part["cents"])
    return Outcome("accepted", requested(record), 0, tuple(credited), frozenset())


def due_of_election(record: Any, _people: Mapping[str, int]) -> Outcome:
    """The decision of an election: only one that names an unknown fund is refused."""
    codes = frozenset({text_of(record, ANSWER)} - {""})
    return Outcome("rejected" if codes else "accepted", None, None, (), codes)


@dataclass
class Answers:
    """The requests of one topic and the answers to them."""

    asked: Log
    answers: Log
    due: Callable[[Any, Mapping[str, int]], Outcome]
    people: Mapping[str, int]
    """Participant to the partition he belongs to."""
    date_name: str
    """The field of an answer that names the business date of what it answers."""

    def __post_init__(self) -> None:
        """Sort both sides by request."""
        self.sent: defaultdict[Request, list[Any]] = defaultdict(list)
        self.given: defaultdict[Request, list[tuple[str, Any]]] = defaultdict(list)
        """ce_id and body of each final answer, in order."""
        self.waited: set[Request] = set()
        """Requests that were held at first."""
        self.wrong: list[str] = []
        for one in self.asked.records:
            request = (text_of(one, "ce_source"), text_of(one, "ce_id"))
            if all(request):
                self.sent[request].append(one)
        for one in self.answers.once():
            body = orjson.loads(one.value)
            request = (body["request"]["source"], body["request"]["id"])
            if body["status"] == "held":
                self.waited.add(request)
            else:
                self.given[request].append((text_of(one, "ce_id"), body))

    def complaints(self) -> list[str]:
        """Everything that is wrong."""
        for request, sent in self.sent.items():
            given = self.given.get(request, [])
            if len(given) != len(sent):
                self.wrong.append(f"{request} was sent {len(sent)} times and answered {len(given)} times")
            elif text_of(sent[0], LETTER):
                self._compare(request, sent, [self.due(one, self.people) for one in sent], [b for _, b in given])
            else:
                self._decided_once(request, sent, given)
            self._dated(request, sent, [body for _, body in given])
        self.wrong += [f"{request} was answered and never sent" for request in self.given.keys() - self.sent.keys()]
        self.wrong += [f"{request} was held and never sent" for request in self.waited - self.sent.keys()]
        self._ordered()
        return self.wrong

    def _decided_once(self, request: Request, sent: list[Any], given: list[tuple[str, Any]]) -> None:
        """One decision; what comes again gets it again, what comes with another body is refused."""
        decisions = [number for number, (_, body) in enumerate(given) if _is_decision(body)]
        if len(decisions) != 1:
            self.wrong.append(f"{request} has {len(decisions)} decisions")
            return
        first = self.due(sent[0], self.people)
        self._compare(request, sent, [first], [given[decisions[0]][1]])
        again = [one for one in sent[1:] if one.value == sent[0].value]
        others = [one for one in sent[1:] if one.value != sent[0].value]
        before = sum(body["status"] == "duplicate" for _, body in given[: decisions[0]])
        if before and request not in self.waited:
            self.wrong.append(f"{request} was called a duplicate before it was decided")
        due = [_unknown_yet(first)] * before + [_repeated(first)] * (len(again) - before)
        self._compare(request, sent, due, [body for _, body in given if body["status"] == "duplicate"])
        refused = [body for _, body in given if body["status"] != "duplicate" and not _is_decision(body)]
        self._compare(request, sent, [self._mismatch(one) for one in others], refused)
        original = given[decisions[0]][0]
        self.wrong += [
            f"an answer to {request} names {body.get('original_receipt_id')}, not the first, {original}"
            for number, (_, body) in enumerate(given)
            if number != decisions[0] and body.get("original_receipt_id") != original
        ]

    def _mismatch(self, record: Any) -> Outcome:
        accepted = self.due(record, self.people).accepted
        cents = (None, None) if accepted is None else (0, requested(record))
        return Outcome("rejected", *cents, (), frozenset({MISMATCH}))

    def _compare(self, request: Request, sent: list[Any], due: list[Outcome], bodies: list[Any]) -> None:
        said = [said_by(body) for body in bodies]
        if Counter(due) != Counter(said):
            self.wrong.append(f"{request}, sent first at {place_of(sent[0])}, should be answered {due} and is {said}")

    def _dated(self, request: Request, sent: list[Any], bodies: list[Any]) -> None:
        """Each answer has the date of the place its request stands in.

        Before the first date is closed it may have none, and after the last one nothing is known of it.
        """
        days = [self.asked.date_of(one) for one in sent if not self.asked.is_before_all(one)]
        due = Counter(day.isoformat() for day in days if day is not None)
        said = Counter(body.get(self.date_name) for body in bodies)
        if len(bodies) == len(sent) and due - said:
            self.wrong.append(f"{request} belongs to {dict(due)} and is answered for {dict(said)}")

    def _ordered(self) -> None:
        """A participant's good requests are answered in the order they stand in; one that strayed may be late."""
        asked: defaultdict[str, list[Request]] = defaultdict(list)
        said: defaultdict[str, list[Request]] = defaultdict(list)
        followed: dict[Request, str] = {}
        for request, sent in self.sent.items():
            person = (sent[0].key or b"").decode("utf-8", "replace")
            is_home = all(one.partition == self.people.get(person) for one in sent)
            if is_home and request[0] == events.SOURCE and request not in self.waited:
                followed[request] = person
        for one in self.asked.records:
            request = (text_of(one, "ce_source"), text_of(one, "ce_id"))
            if request in followed:
                asked[followed[request]].append(request)
        for one in self.answers.once():
            body = orjson.loads(one.value)
            request = (body["request"]["source"], body["request"]["id"])
            if request in followed:
                said[followed[request]].append(request)
        for person, requests in asked.items():
            if said[person] != requests:
                pairs = zip(requests, said[person], strict=False)
                first = next((f"{due} and is {found}" for due, found in pairs if due != found), "more and is nothing")
                self.wrong.append(f"answers to {person} are out of order: next should be {first}")


def _is_decision(body: Any) -> bool:
    return body["status"] != "duplicate" and MISMATCH not in {one["code"] for one in body["codes"]}


def _repeated(first: Outcome) -> Outcome:
    """A resend gets the first decision, codes too."""
    return first._replace(status="duplicate")


def _unknown_yet(first: Outcome) -> Outcome:
    """A resend while the first is held; an election is held for what refuses it in the end."""
    if first.accepted is None:
        return first._replace(status="duplicate")
    return Outcome("duplicate", 0, 0, (), frozenset({WAITING}))

"""Dead letters and parked participants: what is there, what was in it, and sending it through again."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from deploy.operate import store_letters
from deploy.operate.books import SERVICES, Book, open_books
from deploy.operate.target import OperatorError
from shared.runtime.settings import Settings

PARKED = "parked"


class UnknownLetter(OperatorError):
    """There is no such dead letter or parked participant."""


@dataclass(frozen=True, slots=True)
class LetterId:
    """``contribution:12`` is a dead letter, ``contribution:parked:P1`` a participant (or order) that is parked."""

    service: str
    number: int | None
    key: str | None = None

    @classmethod
    def parse(cls, text: str) -> LetterId:
        """The id that ``dlq ls`` printed. Raises ``UnknownLetter``."""
        service, _, rest = text.partition(":")
        kind, colon, key = rest.partition(":")
        if service in SERVICES and kind == PARKED and colon and key:
            return cls(service, None, key)
        if service in SERVICES and rest.isascii() and rest.isdigit():
            return cls(service, int(rest))
        raise UnknownLetter(f"{text!r} is no id; `nestwork dlq ls` lists them (contribution:12, trading:parked:P1)")

    def __str__(self) -> str:
        return f"{self.service}:{self.number}" if self.key is None else f"{self.service}:{PARKED}:{self.key}"


@dataclass(frozen=True, slots=True)
class Letter:
    """One line of the list."""

    id: LetterId
    topic: str
    partition: int
    offset: int
    code: str
    detail: str
    trade_date: str
    recorded_at: str
    cents: int
    items: int
    replayed: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As the command prints it."""
        return {
            "id": str(self.id),
            "kind": PARKED if self.id.key is not None else "dead_letter",
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "code": self.code,
            "detail": self.detail,
            "cents": self.cents,
            "items": self.items,
            "trade_date": self.trade_date,
            "recorded_at": self.recorded_at,
            "replayed": self.replayed,
        }


async def list_letters(config: Settings, *, waiting_only: bool = False) -> list[Letter]:
    """All dead letters and parked participants, service by service; ``waiting_only`` leaves out what was replayed."""
    async with open_books(config) as books:
        found = [letter for book in books.all() for letter in await _letters_of(book)]
    return [letter for letter in found if letter.replayed is None or not waiting_only]


async def _letters_of(book: Book) -> list[Letter]:
    letters = [
        Letter(
            LetterId(book.service, row["dead_letter"]), row["topic"], row["partition"], row["record_offset"],
            row["code"], row["detail"], row["trade_date"].isoformat(), row["recorded_at"].isoformat(), row["cents"], 1,
            replayed_text(row),
        )
        for row in await book.rows(store_letters.LETTERS)
    ]  # fmt: skip
    parked = [
        Letter(
            LetterId(book.service, None, row["key"]), row["topic"], row["lane"], row["record_offset"], row["code"],
            row["detail"], row["trade_date"].isoformat(), row["recorded_at"].isoformat(), row["cents"], row["items"],
        )
        for row in await book.rows(store_letters.PARKED_KEYS)
    ]  # fmt: skip
    return letters + parked


def replayed_text(row: Any) -> str | None:
    """When a letter was sent again and by whom, or ``None``."""
    return f"{row['replayed_at'].isoformat()} by {row['replayed_by']}" if row["replayed_at"] else None


async def show_letter(config: Settings, text: str) -> dict[str, Any]:
    """Everything kept of one letter or parked participant. Raises ``UnknownLetter``."""
    letter_id = LetterId.parse(text)
    async with open_books(config) as books:
        book: Book = getattr(books, letter_id.service)
        if letter_id.key is not None:
            return describe_parked(letter_id, await book.rows(store_letters.PARKED_ITEMS, letter_id.key))
        row = await book.row(store_letters.LETTER, letter_id.number)
    if row is None:
        raise UnknownLetter(f"there is no dead letter {letter_id}")
    return {
        "id": str(letter_id),
        "topic": row["topic"],
        "partition": row["partition"],
        "offset": row["record_offset"],
        "code": row["code"],
        "detail": row["detail"],
        "cents": row["cents"],
        "trade_date": row["trade_date"].isoformat(),
        "recorded_at": row["recorded_at"].isoformat(),
        "replayed": replayed_text(row),
        "headers": orjson.loads(row["headers"]),
        "key": readable(row["key"]),
        "value": readable(row["value"]),
    }


def describe_parked(letter_id: LetterId, rows: Sequence[Any]) -> dict[str, Any]:
    """A parked participant with his items in order. Raises ``UnknownLetter`` when nothing of him is parked."""
    if not rows:
        raise UnknownLetter(f"nobody is parked as {letter_id}")
    return {
        "id": str(letter_id),
        "cents": sum(row["cents"] for row in rows),
        "items": [
            {
                "topic": row["topic"],
                "partition": row["lane"],
                "offset": row["record_offset"],
                "code": row["code"],
                "detail": row["detail"],
                "cents": row["cents"],
                "trade_date": row["trade_date"].isoformat(),
                "event": _plain(msgspec.msgpack.decode(row["item"])),
            }
            for row in rows
        ],
    }


def _plain(value: Any) -> Any:
    """An item for people: bytes as hexadecimal text."""
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.hex() if isinstance(value, bytes) else value


def readable(raw: bytes | None) -> dict[str, str] | None:
    """Bytes as text when they are UTF-8, else as base64; says which."""
    if raw is None:
        return None
    try:
        return {"text": raw.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}

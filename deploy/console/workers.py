"""What running workers say of themselves: their page `/readyz`, which asks for no token."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import aiohttp

ASK_SECONDS = 2.0
ANSWER_BYTES_MAX = 256 * 1024

Row = dict[str, Any]


async def ask_workers(addresses: Sequence[str]) -> list[Row]:
    """One row per worker, in the order given; one that does not answer is a row as well."""
    timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        return list(await asyncio.gather(*(_ask(http, address) for address in addresses)))


async def _ask(http: aiohttp.ClientSession, address: str) -> Row:
    try:
        async with http.get(f"{address}/readyz") as answer:
            said = await _small_json(answer)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as trouble:
        return {"address": address, "state": "does not answer", "lanes": [], "trouble": type(trouble).__name__}
    stopped = {**_mapping(said, "stopped"), **_mapping(said, "facts_stopped")}
    lanes = said.get("lanes")
    return {
        "address": address,
        "state": "ready" if said.get("ready") is True else "not ready",
        "lanes": lanes if isinstance(lanes, list) else [],
        "trouble": "; ".join(f"{name}: {why}" for name, why in stopped.items()),
    }


async def _small_json(answer: aiohttp.ClientResponse) -> Row:
    if (answer.content_length or 0) > ANSWER_BYTES_MAX:
        raise ValueError("the answer is too long")
    said = await answer.json(content_type=None)
    if not isinstance(said, dict):
        raise ValueError("the answer is no document")
    return said


def _mapping(said: Row, name: str) -> Row:
    found = said.get(name)
    return found if isinstance(found, dict) else {}

"""What a page says when it is asked for nonsense, or fails."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.runtime.clients import Pool
from shared.runtime.worker import asked

NO_POOL = cast(Pool, None)


def request_for(participant: str = "P1", **query: str) -> Any:
    return SimpleNamespace(match_info={"participant_id": participant}, query=query, path="/v1/participants")


async def fine(_pool: Any, _request: Any) -> tuple[int, Any]:
    return 200, {"balance_cents": 1}


@pytest.mark.parametrize("request_", [request_for("P\x001"), request_for(as_of="2026-11-20\x00")])
async def test_a_nul_is_the_callers_mistake_and_never_reaches_the_database(request_: Any) -> None:
    status, document = await asked(fine, NO_POOL, request_)
    assert (status, document["code"]) == (400, "invalid_id")


@pytest.mark.parametrize(
    ("error", "status", "code"), [(ConnectionResetError(), 503, "unavailable"), (KeyError("F9"), 500, "internal")]
)
async def test_a_page_that_fails_is_a_problem_document_too(error: Exception, status: int, code: str) -> None:
    async def failing(_pool: Any, _request: Any) -> tuple[int, Any]:
        raise error

    found, document = await asked(failing, NO_POOL, request_for())
    assert (found, document["code"]) == (status, code)
    assert "F9" not in document["detail"]


async def test_what_a_page_answers_is_given_on() -> None:
    assert await asked(fine, NO_POOL, request_for(as_of="2026-11-20")) == (200, {"balance_cents": 1})

"""The whole small payday where nobody has more than he needs: TLS, SCRAM, access lists, a database role per service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.operate.employer import true_up_all
from deploy.scenarios.runner import RunningCluster, run_files
from shared.events.payroll import Contribution
from shared.runtime.settings import settings
from shared.runtime.tokens import new_token, token_hash
from tests.integration.test_console import letter_of, replay
from tests.support.console import Visitor, served
from tests.support.secured import Secured
from tests.support.waiting import eventually
from tests.support.workers import Ground

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]
SCENARIO = Path(__file__).parents[1] / "scenarios" / "a6-a7-a8-splits.yaml"


async def test_a_payday_comes_out_as_expected(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in secured.environment("operators", "nestwork_reader").items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()

    async def connect(_folder: Path, _partitions: int, _workers: int, actions: Path) -> RunningCluster:
        await secured.start_workers({"NESTWORK_CUSTODIAN_ACTIONS": str(actions)})
        return secured

    runs = await run_files([SCENARIO], partitions=secured.partitions, cluster_factory=connect)
    settings.cache_clear()
    assert {run.file: run.differences for run in runs} == {str(SCENARIO): []}
    await pages_ask_for_a_token(secured)
    await the_console_needs_no_more_than_the_operators_rights(secured)
    assert await true_up_all(secured.config("payroll-integrations", "nestwork_reader"), None) == []  # No annual match.


async def pages_ask_for_a_token(secured: Secured) -> None:
    """The same books through a worker that listens for people with tokens."""
    tokens = {name: new_token() for name in ("acme", "all", "payroll")}
    listed = [
        entry("acme", tokens["acme"], ["reader"], ["ACME"]),
        entry("all", tokens["all"], ["operator"], ["*"]),
        entry("payroll", tokens["payroll"], ["payroll"], ["*"]),
    ]
    file = secured.folder / "tokens.json"
    file.write_text(json.dumps({"tokens": listed}))
    more = {"NESTWORK_TOKENS_FILE": str(file)}
    ground = Ground(secured.kafka, "valuation", secured.environment("valuation") | more, secured.folder)
    async with ground.worker() as worker, aiohttp.ClientSession() as http:
        await eventually(worker.is_ready, seconds=240)

        async def status(path: str, token: str | None = None) -> tuple[int, str]:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with http.get(worker.url + path, headers=headers) as response:
                body = await response.json(content_type=None)
                if response.status >= 400:
                    assert response.content_type == "application/problem+json"
                    assert ("WWW-Authenticate" in response.headers) == (response.status == 401)
                return response.status, body.get("code", "")

        assert await status("/v1/plans/ACME/balances") == (401, "token_missing")
        assert await status("/v1/plans/ACME/balances", new_token()) == (401, "token_unknown")
        assert await status("/v1/plans/ACME/balances", tokens["acme"]) == (200, "")
        assert await status("/v1/plans/OTHER/balances", tokens["acme"]) == (403, "plan_out_of_scope")
        assert await status("/v1/plans/OTHER/balances", tokens["payroll"]) == (403, "role_missing")
        assert await status("/v1/days/2026-11-20", tokens["acme"]) == (403, "plan_out_of_scope")
        assert (await status("/v1/days/2026-11-20", tokens["all"]))[0] in (200, 404)
        # Another plan's participant does not exist for a token of this plan.
        assert await status("/v1/participants/P1/balance", tokens["acme"]) == (404, "unknown_participant")
        for path in ("/router/", "/table/", "/graph", "/stats", "/performance/"):
            async with http.get(worker.url + path) as response:
                assert response.status == 404


async def the_console_needs_no_more_than_the_operators_rights(secured: Secured) -> None:
    """As the manifests start it: with the Kafka user and the database role of operators, every page and a replay."""
    token, file = new_token(), secured.folder / "console.json"
    file.write_text(json.dumps({"tokens": [entry("olga", token, ["operator"], ["*"])]}))
    config = secured.config("operators", "nestwork_operator").model_copy(update={"tokens_file": file})
    ground = Ground(secured.kafka, "contribution", secured.environment("contribution"), secured.folder)
    async with ground.worker() as worker, served(config) as address, Visitor(address) as olga:
        await eventually(worker.is_ready, seconds=240)
        assert (await olga.get("/readyz")).status == 200
        await olga.sign_in(token)
        for path in ("/", "/days", "/days/2026-11-20", "/runs", "/held", "/breaks", "/letters", "/actions"):
            assert (await olga.get(path)).status == 200, path
        letter = await letter_of(config, b"{not json", "console-secured", Contribution.ce_type)
        done = await replay(olga, letter)
        assert done.status == 200
        assert f"{letter}: sent" in done.text


def entry(name: str, token: str, roles: list[str], plans: list[str]) -> dict[str, Any]:
    """A line of the token file."""
    return {"name": name, "hash": token_hash(token), "roles": roles, "plans": plans}

"""The console in headless Chromium, by keyboard alone, over a real cluster."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.cluster import Cluster
from deploy.operate.letters import list_letters
from deploy.operate.target import of_folder
from shared.events.payroll import Contribution
from shared.runtime.settings import Settings
from shared.runtime.tokens import token_hash
from tests.integration.test_console import PAGES, letter_of
from tests.support.chromium import Browser, browsing
from tests.support.console import served
from tests.support.operated import operated_cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SHOWN_AT_THE_DOOR = "nwt_a_token_of_a_test"
CONTROLS = {"link", "button", "textbox", "checkbox", "combobox", "Date", "DateTime", "searchbox"}
CONTRAST = """
(() => {
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const colour = parts(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own) continue;
    const pair = [light(parts(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
    if ((pair[0] + 0.05) / (pair[1] + 0.05) < 4.5) low.push(element.textContent.trim());
  }
  return low;
})()"""
FOCUS = """
(() => {
  const one = document.activeElement, place = one.getBoundingClientRect(), style = getComputedStyle(one);
  return {tag: one.tagName, text: one.outerHTML.slice(0, 120), outline: style.outlineStyle,
          seen: place.bottom > 0 && place.width > 0};
})()"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operated(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """Two paydays, closed and proven, on two partitions."""
    cluster = await operated_cluster(tmp_path_factory.mktemp("browser"), partitions=2)
    try:
        yield cluster
    finally:
        await cluster.stop()


@pytest.fixture
def config(operated: Cluster, tmp_path: Path) -> Settings:
    file = tmp_path / "tokens.json"
    entry = {"name": "otto", "hash": token_hash(SHOWN_AT_THE_DOOR), "roles": ["operator"], "plans": ["*"]}
    file.write_text(json.dumps({"tokens": [entry]}))
    return of_folder(operated.folder).model_copy(update={"tokens_file": file})


async def sign_in(browser: Browser, address: str) -> None:
    await browser.open(address)
    await browser.tab_to("#token")
    await browser.type(SHOWN_AT_THE_DOOR)
    await browser.press("Enter", goes_on=True)
    assert await browser.value("document.title") == "Overview – Nestwork console"


async def test_the_first_key_offers_to_skip_the_navigation(config: Settings, tmp_path: Path) -> None:
    async with served(config) as address, browsing(tmp_path / "profile") as browser:
        await sign_in(browser, address)
        await browser.open(address + "/days")
        await browser.press("Tab")
        assert await browser.value("document.activeElement.textContent") == "Skip to the content"
        assert (await browser.value(FOCUS))["seen"]
        await browser.press("Enter")
        assert await browser.value("document.activeElement.id") == "content"
        await browser.press("Tab")
        assert await browser.value("document.activeElement.closest('main') !== null")


async def test_every_page_is_heard_seen_and_reached_by_keyboard(config: Settings, tmp_path: Path) -> None:
    await letter_of(config, b"{not json", "browser-1", Contribution.ce_type)
    async with served(config) as address, browsing(tmp_path / "profile") as browser:
        await sign_in(browser, address)
        for path in PAGES:
            await browser.open(address + path)
            nodes = await browser.nodes()
            roles = [node["role"] for node in nodes]
            assert roles.count("main") == 1, path
            assert "banner" in roles, path
            assert {node["name"] for node in nodes if node["role"] == "navigation"} >= {"Pages"}, path
            assert [node for node in nodes if node["role"] in CONTROLS and not node["name"].strip()] == [], path
            assert await browser.value(CONTRAST) == [], path
            reached = await walk(browser)
            assert all(one["outline"] != "none" and one["seen"] for one in reached), (path, reached)
            assert len(reached) >= await browser.value(
                "document.querySelectorAll('a,button,input:not([type=hidden])').length"
            )
            await browser.ask(
                "Emulation.setDeviceMetricsOverride", width=320, height=800, deviceScaleFactor=1, mobile=False
            )
            assert await browser.value("document.scrollingElement.scrollWidth") <= 320, path
            await browser.ask("Emulation.clearDeviceMetricsOverride")
        assert browser.complaints == []


async def walk(browser: Browser) -> list[dict[str, object]]:
    """Press Tab until the focus leaves the page; everything that had it."""
    reached: list[dict[str, object]] = []
    for _ in range(400):
        await browser.press("Tab")
        one = await browser.value(FOCUS)
        if one["tag"] == "BODY":
            return reached
        reached.append(one)
    raise AssertionError("the focus is caught")


async def test_a_dead_letter_is_replayed_by_keyboard(config: Settings, tmp_path: Path) -> None:
    letter = await letter_of(config, b"<script>document.title='owned'</script>", "browser-2", Contribution.ce_type)
    async with served(config) as address, browsing(tmp_path / "profile") as browser:
        await sign_in(browser, address)
        await browser.tab_to("a[href='/letters']")
        await browser.press("Enter", goes_on=True)
        await browser.tab_to("a[href*='NOT_JSON']")
        await browser.press("Enter", goes_on=True)
        await browser.tab_to(f"input[value='{letter}']")
        await browser.press(" ")
        await browser.tab_to("main button")
        await browser.press("Enter", goes_on=True)
        assert await browser.value("document.querySelector('h1').textContent") == "Dry run of a replay"
        assert (await letters(config))[letter] is None
        await browser.tab_to("#reason")
        await browser.type("tried by keyboard")
        await browser.tab_to("main button.main")
        await browser.press("Enter", goes_on=True)
        assert "tried by keyboard" in await browser.value("document.querySelector('main').textContent")
        assert "by otto" in str((await letters(config))[letter])
        await browser.open(f"{address}/letter?id={letter}")
        assert await browser.value("document.title") != "owned"
        assert browser.complaints == []


async def letters(config: Settings) -> dict[str, str | None]:
    return {str(one.id): one.replayed for one in await list_letters(config)}


async def test_signing_in_works_on_a_port_that_containers_publish_on_loopback(config: Settings, tmp_path: Path) -> None:
    """It listens everywhere inside its container, so its cookie is for TLS only; a browser on this machine keeps it."""
    published = config.model_copy(update={"web_host": "0.0.0.0"})
    async with served(published) as address, browsing(tmp_path / "profile") as browser:
        await sign_in(browser, address)
        await browser.open(f"{address}/days")
        assert await browser.value("document.title") == "Business days – Nestwork console"

"""Debian's headless Chromium for tests, unpacked into a cache folder without root, and a keyboard for it.

`apt-get` must know its lists (`apt-get update` needs root once). A machine that lacks what can be neither found nor
fetched fails the test with the reason; nothing is skipped. The browser is driven by its own protocol (DevTools).
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from platformdirs import user_cache_path

from tests.support.waiting import eventually

PACKAGE = "chromium-headless-shell"
FETCH_SECONDS = 180
START_SECONDS = 60
ANSWER_SECONDS = 60
KEYS = {"Tab": 9, "Enter": 13, " ": 32, "Escape": 27}


class BrowserMissing(Exception):
    """No browser could be found or fetched; the text says what to do."""


def program() -> tuple[Path, dict[str, str]]:
    """The browser and the environment it needs. Raises ``BrowserMissing``."""
    found = shutil.which(PACKAGE)
    if found is not None:
        return Path(found), dict(os.environ)
    folder = user_cache_path("nestwork") / "debian" / PACKAGE
    if not folder.exists():
        _fetch(folder)
    libraries = folder / "usr" / "lib" / "x86_64-linux-gnu"
    if not libraries.exists():
        (libraries,) = (folder / "usr" / "lib").glob("*-linux-gnu*")
    path = f"{libraries}:{libraries / 'pulseaudio'}"
    return folder / "usr" / "lib" / "chromium" / PACKAGE, {**os.environ, "LD_LIBRARY_PATH": path}


def _fetch(folder: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise BrowserMissing(f"{PACKAGE} is not installed, and without apt-get and dpkg it cannot be fetched")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        try:
            wanted = _run(["apt-get", "install", "--print-uris", "-qq", "--no-install-recommends", PACKAGE], scratch)
            names = [line.split()[1].partition("_")[0] for line in wanted.splitlines() if line.startswith("'")]
            names = [name for name in names if name.startswith("lib")] + [PACKAGE, "chromium-common"]
            _run(["apt-get", "download", "-qq", *dict.fromkeys(names)], scratch)
            for file in sorted(Path(scratch).glob("*.deb")):
                _run(["dpkg", "-x", file.name, "unpacked"], scratch)
        except (subprocess.SubprocessError, OSError) as failure:
            detail = getattr(failure, "stderr", None) or str(failure)
            raise BrowserMissing(f"{PACKAGE} could not be fetched ({detail.strip()}); install it") from failure
        (Path(scratch) / "unpacked").rename(folder)


def _run(command: list[str], folder: str) -> str:
    done = subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True, timeout=FETCH_SECONDS,
        env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    return done.stdout


class Browser:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self.complaints: list[str] = []
        """What the browser logged: blocked styles and scripts, failed requests, errors."""

    async def listen(self) -> None:
        """Sort out what the browser says."""
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            elif said["method"] == "Page.loadEventFired":
                self._loaded.set()
            elif said["method"] == "Log.entryAdded":
                entry = said["params"]["entry"]
                self.complaints.append(f"{entry['level']} {entry['text']} {entry.get('url', '')}")

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One call of the protocol."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        said = await asyncio.wait_for(self._answers[number], ANSWER_SECONDS)
        assert "error" not in said, (method, said)
        result: dict[str, Any] = said["result"]
        return result

    async def open(self, address: str) -> None:
        """Go to a page and wait until it is there."""
        self._loaded.clear()
        await self.ask("Page.navigate", url=address)
        await asyncio.wait_for(self._loaded.wait(), ANSWER_SECONDS)

    async def value(self, expression: str) -> Any:
        """What a piece of JavaScript says; ours, for looking only: the pages have none."""
        said = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def press(self, key: str, *, goes_on: bool = False) -> None:
        """Press a key; with ``goes_on`` wait for the page that follows."""
        self._loaded.clear()
        text = {"Enter": "\r", " ": " "}.get(key)
        common = {"key": key, "windowsVirtualKeyCode": KEYS[key], "code": "Space" if key == " " else key}
        await self.ask("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        await self.ask("Input.dispatchKeyEvent", type="keyUp", **common)
        if goes_on:
            await asyncio.wait_for(self._loaded.wait(), ANSWER_SECONDS)

    async def type(self, text: str) -> None:
        """Write into what has the focus."""
        await self.ask("Input.insertText", text=text)

    async def tab_to(self, selector: str, most: int = 300) -> None:
        """Press Tab until an element that matches has the focus; fails when none gets it."""
        for _ in range(most):
            await self.press("Tab")
            if await self.value(f"document.activeElement.matches({selector!r})"):
                return
        raise AssertionError(f"the keyboard never reaches {selector}")

    async def nodes(self) -> list[dict[str, str]]:
        """Role and name of everything a screen reader hears."""
        tree = await self.ask("Accessibility.getFullAXTree")
        return [
            {"role": node["role"]["value"], "name": str(node.get("name", {}).get("value", ""))}
            for node in tree["nodes"]
            if not node.get("ignored") and "role" in node
        ]

    async def picture(self, file: Path) -> None:
        """Save what is seen."""
        said = await self.ask("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(said["data"]))


@asynccontextmanager
async def browsing(folder: Path) -> AsyncIterator[Browser]:
    """A running browser with one tab, ended with the block."""
    binary, environment = await asyncio.to_thread(program)
    # As root Chromium refuses to start inside its sandbox; it opens nothing but our own pages here.
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    process = await asyncio.create_subprocess_exec(
        str(binary), *as_root, "--disable-gpu", "--remote-debugging-port=0", f"--user-data-dir={folder}",
        "--window-size=1280,900", "about:blank", env=environment, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        port = await _port(folder / "DevToolsActivePort")
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://127.0.0.1:{port}/json/list") as answer:
                tab = next(one for one in await answer.json(content_type=None) if one["type"] == "page")
            async with http.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                browser = Browser(socket)
                listening = asyncio.create_task(browser.listen())
                for domain in ("Page", "Log", "Accessibility"):
                    await browser.ask(f"{domain}.enable")
                yield browser
            await listening
    finally:
        process.terminate()
        await process.wait()


async def _port(file: Path) -> int:
    async def is_there() -> bool:
        return file.exists() and "\n" in file.read_text()

    await eventually(is_there, seconds=START_SECONDS)
    return int(file.read_text().splitlines()[0])

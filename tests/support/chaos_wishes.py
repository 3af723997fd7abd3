"""The test's side of faults at named points: wish for one, wait until it happened."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.waiting import eventually


class Wishes:
    """A folder in which a test asks workers to die or freeze."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def wish(
        self, service: str, point: str, action: str = "kill", *, passing: int = 1, topic: str = "", buffered: int = 0
    ) -> None:
        """Let the next worker of ``service`` that passes ``point`` for the ``passing``-th time have the fault.

        Only passings count at which it has fetched and not yet decided at least ``buffered`` bytes.
        """
        name = ".".join(part for part in (service, point, topic) if part)
        unfinished = self.folder / f"{name}.new"
        unfinished.write_text(f"{action} {passing} {buffered}")
        unfinished.rename(self.folder / f"{name}.wish")

    def done(self, service: str, point: str) -> list[int]:
        """The pids of the workers that had a fault there."""
        found = self.folder.glob(f"{service}.{point}*.done")
        return [int(file.name.removesuffix(".done").rpartition(".")[2]) for file in found]

    def withdraw(self) -> None:
        """Forget every wish that was not obeyed."""
        for file in self.folder.glob("*.wish"):
            file.unlink(missing_ok=True)

    def open(self) -> list[str]:
        """Wishes that nobody has obeyed."""
        return sorted(file.name for file in self.folder.glob("*.wish"))

    async def obeyed(self, service: str, point: str, *, times: int = 1, seconds: float = 60.0) -> int:
        """Wait until that many workers had the fault; returns the pid of one of them."""

        async def happened() -> bool:
            await asyncio.sleep(0)
            return len(self.done(service, point)) >= times

        await eventually(happened, seconds=seconds, every=0.02)
        return self.done(service, point)[-1]

"""How a run tells what it does: a protocol, so that the run knows no terminal."""

from __future__ import annotations

from typing import Protocol


class Tell(Protocol):
    """Somebody who wants to know how far the run is."""

    def phase(self, name: str, total: int | None = None) -> None:
        """A phase begins; ``total`` steps, if that is known."""

    def progress(self, done: int) -> None:
        """So many steps of the phase are done."""

    def finished(self, outcome: str) -> None:
        """The phase is over, and this came of it."""

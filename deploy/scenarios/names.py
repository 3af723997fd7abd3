"""Each file has its own namespace, so that hundreds of them can share one cluster."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Namespace:
    """The names of file number ``index``: plans, funds, participants, payroll runs and event ids."""

    index: int

    @property
    def prefix(self) -> str:
        """What stands before every name of this file. One prefix never starts another, because of the dash."""
        return f"s{self.index:03d}-"

    @property
    def source(self) -> str:
        """The ``ce_source`` of this file's events."""
        return f"/scenario/s{self.index:03d}"

    def full(self, name: str) -> str:
        """The name on the cluster."""
        return self.prefix + name

    def owns(self, full_name: str) -> bool:
        """True for a name of this file."""
        return full_name.startswith(self.prefix)

    def plain(self, full_name: str) -> str:
        """The name in the file."""
        return full_name.removeprefix(self.prefix)

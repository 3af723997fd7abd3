"""Kinds of failure, never mixed: whose fault it is decides what happens (``InvariantBroken`` lives with the values)."""

from __future__ import annotations


class NestworkError(Exception):
    """Something the engine knows by name went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class PoisonMessage(NestworkError):
    """The sender broke the contract; retrying cannot help."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class Fenced(NestworkError):
    """A lane's row is not where this worker left it: another owner has it, or a commit's outcome was unknown."""


class PartitionCountDiffers(NestworkError):
    """Topics or tables were made for another number of partitions than NESTWORK_PARTITIONS says."""

    def __init__(self, what: str, made_for: int, configured: int) -> None:
        super().__init__(
            f"{what} was made for {made_for} partitions, and NESTWORK_PARTITIONS leads to {configured}: set it back. "
            'The number is not changed in place; docs/recovery.md, "Another number of partitions", has the procedure'
        )


class LogLoss(NestworkError):
    """An internal log is not what was written, records are missing or broken: the lane stops and a human must look."""

    def __init__(self, message: str, *lanes: int) -> None:
        super().__init__(message)
        self.lanes = lanes
        """Whose log it is. Other lanes of the same poll are whole, and go on."""

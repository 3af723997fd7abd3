"""What a load run is asked to do, and what of that is refused before anything starts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from deploy.load.people import LINES_PER_PERSON_MAX
from deploy.load.profiles import OWN, PROFILE, Profile, ProfileName, line_count
from deploy.load.result import LatencyFrom
from deploy.operate.target import OperatorError
from shared.values.nyse_calendar import LAST_YEAR
from shared.values.trading_days import previous_trading_day, trading_days_between

FIRST_PAYDAY = date(2026, 11, 20)
LINES_MAX = 5_000_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for. ``rate`` None means as fast as lines are answered; ``own`` is a shape that was told."""

    participants: int
    rate: float | None
    profile: ProfileName
    seconds: float
    seed: int = 1
    close: bool = True
    own: Profile | None = None
    own_text: str | None = None

    @property
    def shape(self) -> Profile:
        """What the run looks like."""
        return self.own or PROFILE[self.profile]

    @property
    def name(self) -> str:
        """What the shape is called."""
        return OWN if self.own else self.profile

    @property
    def latency_from(self) -> LatencyFrom:
        """What latency counts from: with ``max`` lines wait for answers to those before, so nothing else is known."""
        if self.shape.waits:
            return "released"
        return "sent" if self.rate is None else "intended"

    def refuse_senseless(self) -> None:
        """Raise ``OperatorError`` for a run that no cluster could do."""
        self.lines()
        self.closes(None)

    def lines(self) -> int:
        """How many lines there will be, at most. Raises ``OperatorError`` when it is too many, or none."""
        per_person = self.participants * LINES_PER_PERSON_MAX
        if self.rate is None:
            return self.participants if self.shape.waits else min(per_person, LINES_MAX)
        count = line_count(self.shape.pieces(self.rate, self.seconds))
        if count < 1 or self.rate * self.seconds < 0.5:
            raise OperatorError("that is not one line: raise --rate or --seconds")
        if count > LINES_MAX:
            raise OperatorError(f"{count} lines are more than {LINES_MAX}: lower --rate or --seconds")
        if count > per_person:
            raise OperatorError(
                f"{count} lines of {self.participants} participants would pass the yearly limit of deferrals; "
                f"at least {-(-count // LINES_PER_PERSON_MAX)} participants are needed"
            )
        return count

    def closes(self, last: date | None) -> list[date]:
        """The business dates the run closes, the eve of its payday first; none with ``--no-close``.

        ``last`` is the newest date the cluster has cut. Raises ``OperatorError`` when the exchange's calendar ends
        before: its last date is never closed, because nobody knows which one follows.
        """
        if not self.close:
            return []
        since = last or previous_trading_day(previous_trading_day(FIRST_PAYDAY))
        known = trading_days_between(since, date(LAST_YEAR, 12, 31))[1:-1]
        count = 2 + len(self.shape.cuts(self.seconds))
        if count > len(known):
            raise OperatorError(
                f"this run closes {count} business days, and the exchange calendar, which ends with {LAST_YEAR}, has "
                f"{len(known)} after {since}: close fewer (--seconds, --close-at)"
                + (" or take a new cluster" if last else "")
            )
        return known[:count]

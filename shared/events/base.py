"""What all events have in common."""

from __future__ import annotations

from typing import ClassVar

from shared.events.fields import Body
from shared.events.topics import Topic


class Event(Body):
    """A body with its type and topic; the type's suffix is the major version."""

    ce_type: ClassVar[str]
    topic: ClassVar[Topic]

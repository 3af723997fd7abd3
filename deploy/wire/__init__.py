"""What every tool does to a running engine: publish events in bulk and drive business days through public topics."""

from __future__ import annotations

from deploy.wire.outgoing import Outgoing, event
from deploy.wire.wire import NothingInTime, NotProven, Wire

__all__ = ["NotProven", "NothingInTime", "Outgoing", "Wire", "event"]

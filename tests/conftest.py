"""Fixtures every test may use."""

from __future__ import annotations

from tests.support.cluster import infrastructure

__all__ = ["infrastructure"]

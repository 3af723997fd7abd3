"""Fixtures every test may use, and what holds for all of them."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.support.cluster import infrastructure
from tests.support.folders import pytest_configure, pytest_sessionfinish, pytest_unconfigure

__all__ = ["infrastructure", "pytest_configure", "pytest_sessionfinish", "pytest_unconfigure"]

# A busy machine is no reason to fail: laws are tried, not timed.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

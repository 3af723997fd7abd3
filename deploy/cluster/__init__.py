"""Embedded Kafka and PostgreSQL, and the services on them, without Docker or root."""

from __future__ import annotations

from deploy.cluster.infrastructure import Infrastructure

__all__ = ["Infrastructure"]

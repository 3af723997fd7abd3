"""Embedded Kafka and PostgreSQL, and the services on them, without Docker or root."""

from __future__ import annotations

from deploy.cluster.cluster import Cluster
from deploy.cluster.errors import ClusterError, ClusterMissing, ClusterRunning, StartFailed
from deploy.cluster.infrastructure import Infrastructure

__all__ = ["Cluster", "ClusterError", "ClusterMissing", "ClusterRunning", "Infrastructure", "StartFailed"]

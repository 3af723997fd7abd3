"""What can go wrong with an embedded cluster, in words a user can act on."""

from __future__ import annotations


class ClusterError(Exception):
    """The embedded cluster could not do what was asked."""


class JarsUnavailable(ClusterError):
    """Kafka's jars are not in the cache and could not be fetched."""


class JarsDiffer(ClusterError):
    """A fetched jar is not the one that was locked; nothing of it was run."""


class ClusterRunning(ClusterError):
    """There is already a live cluster in this folder."""


class ClusterMissing(ClusterError):
    """There is no cluster in this folder."""


class StateUnreadable(ClusterError):
    """The folder is none of a cluster's, or what was written down about its cluster is damaged."""


class StartFailed(ClusterError):
    """A process of the cluster did not become ready; the message ends with its log."""

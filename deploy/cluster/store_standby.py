"""What is asked and told of two PostgreSQL servers of which one follows the other."""

from __future__ import annotations

COUNT_STREAMING = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
WAIT_FOR_STANDBY = "ALTER SYSTEM SET synchronous_standby_names = '*'"
WAIT_FOR_NOBODY = "ALTER SYSTEM SET synchronous_standby_names = ''"
RELOAD = "SELECT pg_reload_conf()"
PROMOTE = "SELECT pg_promote(true, 30)"
IS_STANDBY = "SELECT pg_is_in_recovery()"

"""Restores, replays and upgrades of a running cluster. Run by `make test-recovery`; minutes long."""

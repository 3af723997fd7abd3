"""Backups of the service databases, restores to a point in time, and what must be done before workers go on."""

"""Tests of the whole project; run pytest from the root."""

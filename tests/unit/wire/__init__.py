"""Tests of deploy.wire without I/O."""

"""Tests of deploy.scenarios without I/O."""

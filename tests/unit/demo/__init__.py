"""Tests of deploy.demo without I/O."""

"""Tests of deploy.population without I/O."""

"""Tests of the load harness without a cluster."""

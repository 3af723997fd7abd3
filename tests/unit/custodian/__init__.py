"""Tests of deploy.custodian without I/O."""

"""Executable acceptance cases: read a scenario file, drive a cluster through its days, compare what came out."""

"""The rules of the contribution service, tried without I/O."""

"""The rules of the allocation service, tried without I/O."""

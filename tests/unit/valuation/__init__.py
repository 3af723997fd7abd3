"""The rules of the valuation service, tried without I/O."""

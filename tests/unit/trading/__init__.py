"""The rules of the trading service, tried without I/O."""

"""The console in a real browser: `make test-console` (Debian's Chromium, fetched without root)."""

"""Pure rules of trading."""

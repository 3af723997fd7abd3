"""Pure rules of allocation."""

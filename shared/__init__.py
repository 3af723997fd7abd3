"""What all services share: values, events, runtime (imports go in that direction only)."""

"""What the outside world and the services say to each other: topics, event models, reason codes, headers. No I/O."""

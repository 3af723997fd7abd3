"""What services and the outside world say to each other: topics, event bodies, reason codes. Data only."""

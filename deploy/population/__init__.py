"""A made-up but real-looking market: plans, funds, people, paydays, faulty lines; the same for the same seed. Pure."""

"""What money, shares, dates and identities are: pure values with exact arithmetic, no I/O."""

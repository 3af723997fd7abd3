"""`nestwork demo`: a realistic payday through the whole engine, from nothing to a printed, proven result."""

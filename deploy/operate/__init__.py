"""What an operator does to a running cluster: end days, prove them, look after dead letters, explain figures."""

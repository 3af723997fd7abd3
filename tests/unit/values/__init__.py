"""Examples of the values, from the rules and from the domain's worked numbers."""

"""Pure rules of valuation."""

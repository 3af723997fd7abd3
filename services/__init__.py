"""The four services: contribution, allocation, trading, valuation."""

"""Valuation: hears fills, prices and the custodian's holdings; keeps positions, values each participant at the day's
prices, proves that nothing was lost and says the day is closed; owns positions and balances (database
``nestwork_valuation``).
"""

"""Trading: hears instructed trades and the custodian's confirmations; builds one order per plan, fund and side at the
cut, checks each confirmation and shares it out to the unit; says orders and fills; ends business days; owns orders and
legs (database ``nestwork_trading``).
"""

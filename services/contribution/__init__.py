"""Contribution: hears payroll lines, census and payroll runs; decides what the plan takes of each line and when a run
may trade; says receipts and released cents; owns lines, participants, runs and their cash (database
``nestwork_contribution``).
"""

"""A simulated custodian: a separate program with its own books, which answers orders as a trust company would.

It shares types and topic names with the engine and none of its rules or tables, so that its daily holdings are an
independent witness in the conservation proof.
"""

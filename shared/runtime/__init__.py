"""The imperative shell, written once: lanes, the poll transaction, outbox and relay, day beats, facts, pages.

Services give it rules, handlers and SQL; it gives them exactly-once effects. See ``docs/architecture.md``.
"""

"""Payroll files for those who have no Kafka: CSV and NDJSON, by command or over HTTP, onto the same public topics."""

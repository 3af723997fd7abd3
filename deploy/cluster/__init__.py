"""Embedded Kafka and PostgreSQL, and the services on them, without Docker or root."""

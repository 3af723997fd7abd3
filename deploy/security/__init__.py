"""Who may do what: Kafka's access lists and PostgreSQL's roles, derived from the catalogue of topics."""

"""The operations console: a few pages rendered on the server, for what dashboards cannot do."""

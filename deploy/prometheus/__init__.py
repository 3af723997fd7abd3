"""Rules, alerts and their tests for Prometheus, made by ``python -m deploy.prometheus.build``."""

"""Dashboards for Grafana, made by ``python -m deploy.grafana.build``, and a picture of one without Grafana."""

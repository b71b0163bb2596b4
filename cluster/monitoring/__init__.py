"""Grafana's dashboards and Prometheus's rules for the metrics of the serving side."""

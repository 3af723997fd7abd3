"""A panel as it is thought of: a title, what it asks, in which unit; and as Grafana wants it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

RATE_WINDOW = "$__rate_interval"
"""Grafana puts in the window that fits the zoom."""


@dataclass(frozen=True)
class Panel:
    """One panel: ``queries`` maps a legend (with {{label}}) to PromQL; ``bad_above`` turns a single figure red."""

    title: str
    help: str
    queries: dict[str, str]
    unit: str = "short"
    kind: str = "timeseries"
    bad_above: float | None = None
    wide: int = 12


@dataclass(frozen=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Dashboard:
    """A screen for one kind of reader."""

    name: str
    title: str
    help: str
    rows: tuple[Row, ...]

    @property
    def panels(self) -> list[Panel]:
        """All panels in reading order."""
        return [panel for row in self.rows for panel in row.panels]

    def as_json(self) -> dict[str, Any]:
        """In Grafana's terms."""
        return {
            "uid": f"nestwork-{self.name}",
            "title": self.title,
            "description": self.help,
            "tags": ["nestwork"],
            "schemaVersion": 39,
            "editable": False,
            "timezone": "browser",
            "refresh": "10s",
            "time": {"from": "now-1h", "to": "now"},
            "templating": {"list": [_datasource_choice()]},
            "panels": _placed(self.rows),
        }


def _datasource_choice() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0}


def _placed(rows: tuple[Row, ...]) -> list[dict[str, Any]]:
    """Panels from left to right, a heading above each row."""
    placed: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        grid = {"x": 0, "y": top, "w": 24, "h": 1}
        placed.append({"id": len(placed) + 1, "type": "row", "title": row.title, "gridPos": grid, "collapsed": False})
        top, left, height = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.wide > 24:
                top, left, height = top + height, 0, 0
            high = 4 if panel.kind == "stat" else 8
            grid = {"x": left, "y": top, "w": panel.wide, "h": high}
            placed.append(_panel(panel, len(placed) + 1, grid))
            left, height = left + panel.wide, max(height, high)
        top += height
    return placed


def _panel(panel: Panel, number: int, grid: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.unit == "currencyUSD":
        defaults["decimals"] = 2
    if panel.bad_above is not None:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": panel.bad_above}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    options = {"colorMode": "background", "reduceOptions": {"calcs": ["lastNotNull"]}} if panel.kind == "stat" else {}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.help,
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "gridPos": grid,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [
            {"refId": chr(ord("A") + at), "expr": query, "legendFormat": legend}
            for at, (legend, query) in enumerate(panel.queries.items())
        ],
    }

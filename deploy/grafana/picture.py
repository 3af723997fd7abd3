"""A dashboard as a picture, drawn with matplotlib from the answers of a running Prometheus, without Grafana.

``python -m deploy.grafana.picture money http://127.0.0.1:9090 money.png``
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import dates, ticker

from deploy.grafana.asking import Line, ask
from deploy.grafana.build import DASHBOARDS
from deploy.grafana.panels import Dashboard, Panel

matplotlib.use("Agg")

GRID_COLUMNS = 24
STAT_HEIGHT, GRAPH_HEIGHT, TITLE_HEIGHT = 4, 8, 1
INK, PAPER, GOOD, BAD, PLAIN = "#d8d9da", "#181b1f", "#1a7f37", "#c4162a", "#3274d9"
LINES_MOST = 8
UNITS = {"percentunit": (100.0, "%"), "currencyUSD": (1.0, "$"), "s": (1.0, "s"), "bytes": (1 / 2**20, "MiB"),
         "ops": (1.0, "/s"), "d": (1.0, "days")}  # fmt: skip


def draw(dashboard: Dashboard, prometheus: str, file: Path, *, seconds: int = 3_600, rate_window: str = "1m") -> None:
    """Ask for every panel of the dashboard and draw them in their places."""
    from matplotlib import pyplot

    document = dashboard.as_json()
    since = datetime.now(UTC) - timedelta(seconds=seconds)
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in document["panels"])
    figure = pyplot.figure(figsize=(18, rows * 0.5), facecolor=PAPER)
    grid = figure.add_gridspec(rows, GRID_COLUMNS, hspace=4.0, wspace=3.0, left=0.04, right=0.99, top=0.98, bottom=0.02)
    by_title = {panel.title: panel for panel in dashboard.panels}
    for placed in document["panels"]:
        at = placed["gridPos"]
        axes = figure.add_subplot(grid[at["y"] : at["y"] + at["h"], at["x"] : at["x"] + at["w"]])
        if placed["type"] == "row":
            axes.text(0, 0, placed["title"], color=INK, fontsize=15, weight="bold")
            axes.axis("off")
            continue
        panel = by_title[placed["title"]]
        answers = ask(prometheus, panel, seconds=seconds, rate_window=rate_window)
        lines = [line for found in answers.values() for line in found]
        if panel.kind == "stat":
            _stat(axes, panel, lines)
        else:
            _graph(axes, panel, lines)
            axes.set(xlim=(since, datetime.now(UTC)))
    figure.savefig(file, dpi=80, facecolor=PAPER)
    pyplot.close(figure)


def _stat(axes: Any, panel: Panel, lines: list[Line]) -> None:
    value = lines[0].points[-1][1] if lines else None
    limit = panel.bad_above
    colour = PLAIN if limit is None or value is None else BAD if value >= limit else GOOD
    axes.set_facecolor(colour)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(panel.title, color=INK, fontsize=9, loc="left")
    axes.text(0.5, 0.5, _text(value, panel.unit), color="white", fontsize=20, ha="center", va="center")


def _text(value: float | None, unit: str) -> str:
    if value is None:
        return "no data"
    factor, name = UNITS.get(unit, (1.0, ""))
    shown = value * factor
    if unit == "currencyUSD":
        return f"${shown:,.2f}"
    return f"{shown:,.0f} {name}" if shown == int(shown) else f"{shown:,.1f} {name}"


def _graph(axes: Any, panel: Panel, lines: list[Line]) -> None:
    factor, name = UNITS.get(panel.unit, (1.0, ""))
    axes.set_facecolor("#111217")
    loudest = sorted(lines, key=lambda line: -max((value for _, value in line.points), default=0.0))[:LINES_MOST]
    for line in loudest:
        times = [datetime.fromtimestamp(at, UTC) for at, _ in line.points]
        axes.plot(times, [value * factor for _, value in line.points], label=line.legend, linewidth=1.3)
    axes.set_title(f"{panel.title}{f' ({name})' if name else ''}", color=INK, fontsize=10, loc="left")
    axes.tick_params(colors=INK, labelsize=7)
    axes.grid(visible=True, color="#2c3235", linewidth=0.5)
    for spine in axes.spines.values():
        spine.set_color("#2c3235")
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M:%S"))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(ticker.MaxNLocator(6))
    if loudest:
        axes.legend(fontsize=7, labelcolor=INK, facecolor="#111217", edgecolor="#2c3235", loc="upper left")


def main() -> None:
    """Draw one dashboard by name."""
    name, prometheus, file = sys.argv[1:4]
    dashboard = next(one for one in DASHBOARDS if one.name == name)
    draw(dashboard, prometheus, Path(file))


if __name__ == "__main__":
    main()

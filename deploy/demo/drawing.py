"""The four drawings of the report, as one PNG."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from deploy.demo.result import DayResult, Result

INK, HANDED, ANSWERED, BARS, GRID = "#26323f", "#9fb3c8", "#1f7a5c", "#3d6fb4", "#e4e9ef"
DOTS_PER_INCH = 130


def draw(result: Result) -> bytes:
    """PNG bytes: lines handed over and answered on each date, balances, plan sizes."""
    figure = Figure(figsize=(12, 7.6), layout="constrained")
    panels = figure.subplots(2, 2).flatten()
    for panel, day in zip(panels[:2], result.days, strict=False):
        _answers(panel, day)
    _balances(panels[2], result)
    _plan_sizes(panels[3], result)
    for panel in panels:
        panel.grid(color=GRID, linewidth=0.8)
        panel.set_axisbelow(True)
        panel.tick_params(colors=INK, labelsize=9)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    into = io.BytesIO()
    figure.savefig(into, format="png", dpi=DOTS_PER_INCH)
    return into.getvalue()


def _answers(panel: Any, day: DayResult) -> None:
    """How many lines were handed over and how many answered, by time."""
    started = day.sent_at[0][0] if day.sent_at else 0.0
    stamps = np.sort(np.array(day.receipt_stamps_ms, dtype=np.float64)) / 1000 - started
    times = [at - started for at, _ in day.sent_at]
    end = max([*times, *stamps[-1:].tolist(), 0.001])
    panel.plot(
        [*times, end], [*(count for _, count in day.sent_at), day.lines], color=HANDED, lw=3, label="handed over"
    )
    panel.plot(stamps, np.arange(1, len(stamps) + 1), color=ANSWERED, lw=2, label="answered by a receipt")
    panel.set_title(f"{day.day}: payroll lines, {day.pace}", color=INK, fontsize=11, loc="left")
    panel.set_xlabel("seconds since the first line", color=INK, fontsize=9)
    panel.set_xlim(0)
    panel.set_ylim(0)
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    panel.legend(frameon=False, fontsize=9, loc="lower right")


def _balances(panel: Any, result: Result) -> None:
    """How many participants have how much at the last close."""
    last = next((day for day in reversed(result.days) if day.balances), None)
    found = [cents / 100 for cents in last.balances.cents if cents > 0] if last and last.balances else []
    when = last.day if last else ""
    panel.set_title(f"Balances at the close of {when}", color=INK, fontsize=11, loc="left")
    if found:
        panel.hist(found, bins=np.geomspace(min(found), max(found) * 1.001, 45), color=BARS, edgecolor="white", lw=0.4)
        panel.set_xscale("log")
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"${value:,.0f}"))
    panel.set_xlabel("dollars", color=INK, fontsize=9)
    panel.set_ylabel("participants", color=INK, fontsize=9)


def _plan_sizes(panel: Any, result: Result) -> None:
    """From the giant to the corner shop."""
    sizes = sorted(result.plan_sizes, reverse=True)
    panel.bar(range(1, len(sizes) + 1), sizes, width=1.0, color=BARS)
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    panel.set_title("Participants in each plan, largest first", color=INK, fontsize=11, loc="left")
    panel.set_xlabel("plan", color=INK, fontsize=9)

"""Ask Prometheus what a panel asks, as Grafana would."""

from __future__ import annotations

import json
import re
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field

from deploy.grafana.panels import RATE_WINDOW, Panel

TIMEOUT_SECONDS = 30
POINTS = 240


@dataclass(frozen=True)
class Line:
    """One series of an answer: its legend, and (seconds since 1970, value) in the order of time."""

    legend: str
    points: list[tuple[float, float]] = field(default_factory=list)


def ask(prometheus: str, panel: Panel, *, seconds: int, rate_window: str = "1m") -> dict[str, list[Line]]:
    """Each query of the panel over the last ``seconds``: legend as written to the lines that came back."""
    end = time.time()
    answers = {}
    for legend, query in panel.queries.items():
        asked = {
            "query": query.replace(RATE_WINDOW, rate_window),
            "start": f"{end - seconds:.3f}",
            "end": f"{end:.3f}",
            "step": str(max(1, seconds // POINTS)),
        }
        url = f"{prometheus}/api/v1/query_range?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
            found = json.load(response)["data"]["result"]
        answers[legend] = [_line(legend, one) for one in found]
    return answers


def _line(legend: str, found: dict[str, object]) -> Line:
    labels, values = found["metric"], found["values"]
    assert isinstance(labels, dict)
    assert isinstance(values, list)
    for name, value in labels.items():
        legend = legend.replace(f"{{{{{name}}}}}", value)
    legend = re.sub(r"{{\w+}}", "all", legend)
    return Line(legend, [(float(at), float(value)) for at, value in values])

"""Write the dashboards: ``python -m deploy.grafana.build``."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.grafana.money import MONEY
from deploy.grafana.workers import CAPACITY, LOAD, SRE

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS = (MONEY, SRE, CAPACITY, LOAD)


def dashboard_files() -> dict[str, str]:
    """File names and contents."""
    return {f"{one.name}.json": json.dumps(one.as_json(), indent=1) + "\n" for one in DASHBOARDS}


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in dashboard_files().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()

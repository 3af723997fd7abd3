"""``python -m tests.scenarios.random SEED COUNT DIR``: write COUNT scenario files of SEED into DIR."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from tests.scenarios.random.generate import scenario


def write(seed: int, count: int, folder: Path) -> list[Path]:
    """Write the files and return them. The same seed always gives the same files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for index in range(count):
        file = folder / f"random-{seed}-{index:04d}.yaml"
        text = yaml.safe_dump(scenario(seed, index), sort_keys=False, allow_unicode=True, width=120)
        file.write_text(text, encoding="utf-8")
        files.append(file)
    return files


if __name__ == "__main__":
    for written in write(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])):
        sys.stdout.write(f"{written}\n")

"""Write every generated document, or find those that no longer say what the code says.

To generate another one, write a function that returns its text by path (from the root, with "/") and add it to
``GENERATORS``; if it makes a varying set of files, add their folder and suffix to ``OWNED`` as well.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from deploy.docs.asyncapi import asyncapi_page
from deploy.docs.capacity import capacity_page
from deploy.docs.catalogue import catalogue_page
from deploy.docs.metrics import metrics_page
from deploy.docs.reason_codes import reason_codes_page
from deploy.docs.schemas import schema_pages

ROOT = Path(__file__).resolve().parents[2]

Generator = Callable[[], dict[str, str]]

GENERATORS: tuple[Generator, ...] = (
    asyncapi_page,
    schema_pages,
    catalogue_page,
    reason_codes_page,
    metrics_page,
    capacity_page,
)

OWNED: tuple[str, ...] = ("docs/events/*.json",)
"""Files that only generators make: one that no generator makes any more is left over."""


def generated() -> dict[str, str]:
    """Return the text of every generated document by path."""
    pages: dict[str, str] = {}
    for generator in GENERATORS:
        pages |= generator()
    return dict(sorted(pages.items()))


def leftovers(root: Path, pages: dict[str, str]) -> list[Path]:
    """Return owned files that no generator makes."""
    found = (path for pattern in OWNED for path in root.glob(pattern))
    return sorted(path for path in found if path.relative_to(root).as_posix() not in pages)


def stale(root: Path = ROOT) -> list[str]:
    """Return the paths of documents that are missing, differ or are left over."""
    pages = generated()
    differing = [name for name, text in pages.items() if _text_of(root / name) != text]
    return sorted([*differing, *(path.relative_to(root).as_posix() for path in leftovers(root, pages))])


def build(root: Path = ROOT) -> list[str]:
    """Bring all documents up to date; returns the paths that changed."""
    changed, pages = stale(root), generated()
    for name in changed:
        if name in pages:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(pages[name], encoding="utf-8")
        else:
            (root / name).unlink()
    return changed


def _text_of(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None

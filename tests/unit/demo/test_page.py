"""The closing page: complete after a good run, honest after a bad one, and one file that needs nothing else."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from deploy.demo.drawing import draw
from deploy.demo.page import page, verdict
from deploy.demo.result import Check, KindOutcome, Options, Result
from deploy.demo.sections import sections
from deploy.demo.terminal import TerminalTell, print_page
from tests.unit.demo.samples import day_result, result

PNG = b"\x89PNG\r\n\x1a\n"
TITLES = (
    "What came in", "Receipts", "Reason codes", "Each kind of line, and what must come of it", "Orders and fills",
    "Balances", "Funds", "Proof, equation by equation", "Checked from outside", "Throughput and latency",
    "Where to look next",
)  # fmt: skip


class Balanced(HTMLParser):
    """Raises when tags are not closed in order, and collects what the page would fetch."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [value for name, value in attrs if name in ("src", "href") and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def printed(found: Result) -> str:
    into = io.StringIO()
    print_page(found, Console(file=into, width=200))
    return into.getvalue()


def failing() -> list[Result]:
    """Each way in which a run can fail."""
    good = result()
    kind = KindOutcome("good line", 10, "accepted", 9, ("line:P-1: no final receipt",))
    unproven = replace(day_result(), status="not closed")
    return [
        replace(good, problem="day.closed of 2026-11-20 did not come in 120 s"),
        replace(good, checks=[Check("figures", "1", "2", False)]),
        replace(good, checks=[]),
        replace(good, days=good.days[:1]),
        replace(good, days=[good.days[0], replace(good.days[1], kinds=[kind])]),
        replace(good, days=[unproven, good.days[1]]),
    ]


def test_a_good_run_is_ok_and_says_so_everywhere() -> None:
    found = result()
    assert found.ok
    assert found.as_json()["ok"] is True
    assert verdict(found).startswith("Proven")
    assert [section.title for section in sections(found) if section.title in TITLES] == list(TITLES)
    text = printed(found)
    assert all(title in text for title in TITLES)
    assert "Proven" in text
    assert "✗" not in text


@pytest.mark.parametrize("found", failing())
def test_any_failure_is_a_failure_of_the_whole_run(found: Result) -> None:
    assert not found.ok
    assert found.as_json()["ok"] is False
    assert "Proven" not in printed(found)
    assert "verdict bad" in page(found, b"")


def test_a_row_that_differs_is_marked_and_shows_an_example() -> None:
    found = failing()[4]
    assert "✗" in printed(found)
    assert "line:P-1: no final receipt" in printed(found)
    assert "class=wrong" in page(found, b"")


def test_the_report_is_one_file_with_closed_tags_and_fetches_nothing() -> None:
    found = result()
    png = draw(found)
    assert png.startswith(PNG)
    text = page(found, png)
    parser = Balanced()
    parser.feed(text)
    assert not parser.open
    assert len(parser.fetched) == 1
    assert parser.fetched[0].startswith("data:image/png;base64,")
    assert "figures &lt;agree&gt;" in text


def test_a_run_that_broke_off_at_once_still_has_a_page_and_drawings() -> None:
    found = Result(Options(), problem="the cut of 2026-11-19 did not come in 120 s")
    assert draw(found).startswith(PNG)
    assert found.problem in page(found, b"")
    assert found.problem in printed(found)


def test_a_run_that_broke_off_during_the_first_date_has_a_page_too() -> None:
    bare = replace(
        day_result(), balances=None, kinds=[], receipts={}, codes={}, orders={}, proof={}, seconds={}, latency=None,
        sent_at=[], receipt_stamps_ms=[], status="not closed",
    )  # fmt: skip
    found = replace(result(), days=[bare], problem="no receipts", journey=None)
    assert draw(found).startswith(PNG)
    assert "no receipts" in page(found, b"")
    assert "no receipts" in printed(found)


def test_the_document_is_json_without_the_long_lists() -> None:
    text = json.dumps(result().as_json())
    assert "receipt_stamps_ms" not in text
    assert "plan_sizes" not in text
    assert json.loads(text)["days"][0]["balances"]["total_cents"] == 300


def test_a_kept_cluster_is_named_in_what_to_do_next() -> None:
    found = replace(result(), kept_in=".nestwork-demo", pages={"valuation": "http://127.0.0.1:1"})
    text = printed(found)
    assert "nestwork down --folder .nestwork-demo" in text
    assert "http://127.0.0.1:1" in text


def test_progress_is_plain_lines_where_nobody_looks_at_bars() -> None:
    into = io.StringIO()
    with TerminalTell(Console(file=into, width=100)) as tell:
        tell.phase("counting", 2)
        tell.progress(1)
        tell.finished("2 of 2")
    lines = into.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("counting")
    assert lines[1].endswith("2 of 2")

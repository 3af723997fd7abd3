"""The closing page on a terminal, and progress while the run goes on."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.demo.page import verdict
from deploy.demo.result import Result
from deploy.demo.sections import Section, sections

WIDTH_WITHOUT_TERMINAL = 130


class TerminalTell:
    """A bar for the phase that goes on and a line for each that is over; plain lines where nobody looks at bars."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._name = ""
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def phase(self, name: str, total: int | None = None) -> None:
        """A phase begins."""
        self._name = name
        self._bar.reset(self._task, total=total, description=name)
        if not self._console.is_terminal:
            self._say(name)

    def progress(self, done: int) -> None:
        """So many steps of the phase are done."""
        self._bar.update(self._task, completed=done)

    def finished(self, outcome: str) -> None:
        """The phase is over."""
        self._say(f"{self._name}: {outcome}" if self._console.is_terminal else f"  {outcome}")

    def _say(self, text: str) -> None:
        self._console.print(f"{time.monotonic() - self._started:6.1f} s  {text}", markup=False)


def print_page(result: Result, console: Console) -> None:
    """All sections as tables, the verdict at the end where the eye rests."""
    if not console.is_terminal:
        console.width = WIDTH_WITHOUT_TERMINAL
    for section in sections(result):
        console.print(_table(section))
    color = "green" if result.ok else "red"
    console.print(f"\n[bold {color}]{escape(verdict(result))}[/]")


def _table(section: Section) -> Table:
    table = Table(
        title=f"\n[bold]{escape(section.title)}[/]",
        caption=escape(section.note) or None,
        title_justify="left",
        caption_justify="left",
        title_style="",
        caption_style="dim",
        box=None,
        pad_edge=False,
        show_header=any(section.headings),
        header_style="dim",
    )
    for at, heading in enumerate(section.headings):
        table.add_column(escape(heading), justify="left" if at < section.text_columns else "right")
    if section.verdicts:
        table.add_column("")
    for number, row in enumerate(section.rows):
        cells = [escape(text) for text in row]
        if section.verdicts:
            cells.append("[green]✓[/]" if section.verdicts[number] else "[bold red]✗[/]")
        table.add_row(*cells)
    return table

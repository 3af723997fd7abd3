"""The report as one HTML file that needs nothing else: tables, verdicts, and the drawings inside it."""

from __future__ import annotations

import base64
from html import escape

from deploy.demo.judge import dollars
from deploy.demo.result import Result
from deploy.demo.sections import Section, sections

STYLE = """
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:#26323f;background:#f5f7f9;margin:0}
main{max-width:1080px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:28px;margin:0 0 4px}h2{font-size:19px;margin:0 0 4px}
.lead{color:#5b6b7b;margin:0 0 20px}
.verdict{display:inline-block;border-radius:6px;padding:4px 12px;font-weight:650;color:#fff;background:#1f7a5c}
.verdict.bad{background:#b3392f}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin:20px 0}
.card,section{background:#fff;border:1px solid #e0e6ec;border-radius:10px}
.card{padding:14px 16px}.card b{display:block;font-size:22px}.card span{color:#5b6b7b;font-size:13px}
section{padding:20px 22px;margin:18px 0;overflow-x:auto}section p{color:#5b6b7b;margin:0 0 10px;max-width:80ch}
table{border-collapse:collapse;width:100%}th{font-weight:600;color:#5b6b7b;text-align:left;font-size:13px}
td,th{padding:5px 14px 5px 0;border-bottom:1px solid #edf1f4;vertical-align:top}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.ok{color:#1f7a5c;font-weight:600}.no{color:#b3392f;font-weight:650}tr.wrong td{background:#fdf0ee}
img{width:100%;height:auto}
"""


def page(result: Result, png: bytes) -> str:
    """The whole file."""
    parts = [_head(result), _cards(result)]
    if png:
        data = base64.b64encode(png).decode()
        parts.append(
            f'<section><h2>The two paydays</h2><img alt="Lines handed over and answered over time on both dates, '
            f'balances, plan sizes" src="data:image/png;base64,{data}"></section>'
        )
    parts += [_section(section) for section in sections(result)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Nestwork demo report</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def verdict(result: Result) -> str:
    """One line that says it all."""
    if result.ok:
        return "Proven: every cent and every share accounted for on both dates"
    return f"Not proven: {result.problem}" if result.problem else "Something differs: see the rows marked below"


def _head(result: Result) -> str:
    bad = "" if result.ok else " bad"
    days = " and ".join(str(day.day) for day in result.days) or "no date"
    return (
        f"<h1>A payday through Nestwork</h1><p class=lead>401(k) contributions of {days}: received, judged, traded, "
        f"recorded and valued by four services over Kafka and PostgreSQL on one machine.</p>"
        f'<span class="verdict{bad}">{escape(verdict(result))}</span>'
    )


def _cards(result: Result) -> str:
    lines = sum(day.lines for day in result.days)
    filled = sum(day.orders.get("confirmed", 0) for day in result.days)
    last = next((day.balances for day in reversed(result.days) if day.balances), None)
    cards = [
        (f"{lines:,}", "payroll lines judged"),
        (dollars(sum(day.credited_cents for day in result.days)), "credited to participants"),
        (f"{filled:,}", "orders filled"),
        (dollars(last.total_cents) if last else "none", "in balances at the last close"),
        (f"{sum(bool(one['ok']) for day in result.days for one in day.proof.values())}", "equations that hold"),
        (f"{result.seconds.get('whole run', 0):.0f} s", "from nothing to here, and down again"),
    ]
    return f"<div class=cards>{''.join(f'<div class=card><b>{a}</b><span>{b}</span></div>' for a, b in cards)}</div>"


def _section(section: Section) -> str:
    note = f"<p>{escape(section.note)}</p>" if section.note else ""
    head = "".join(_cell("th", text, at, section) for at, text in enumerate(section.headings))
    head += "<th></th>" if section.verdicts else ""
    rows = "".join(_row(section, number) for number in range(len(section.rows)))
    heading = f"<thead><tr>{head}</tr></thead>" if any(section.headings) else ""
    return f"<section><h2>{escape(section.title)}</h2>{note}<table>{heading}<tbody>{rows}</tbody></table></section>"


def _row(section: Section, number: int) -> str:
    cells = "".join(_cell("td", text, at, section) for at, text in enumerate(section.rows[number]))
    if not section.verdicts:
        return f"<tr>{cells}</tr>"
    if section.verdicts[number]:
        return f"<tr>{cells}<td class=ok>✓</td></tr>"
    return f"<tr class=wrong>{cells}<td class=no>✗</td></tr>"


def _cell(tag: str, text: str, at: int, section: Section) -> str:
    kind = "" if at < section.text_columns else " class=n"
    return f"<{tag}{kind}>{escape(text)}</{tag}>"

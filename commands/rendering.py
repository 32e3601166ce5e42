"""One table in the form that was asked for: text, CSV, HTML, JSON or Markdown."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from enum import StrEnum

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from questions.sheets import sheet


class Form(StrEnum):
    """How a table is printed."""

    TEXT = "text"
    CSV = "csv"
    HTML = "html"
    JSON = "json"
    MARKDOWN = "markdown"


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], form: Form) -> str:
    """The table as one text, ending in a line break."""
    match form:
        case Form.TEXT:
            return text(heads, rows)
        case Form.CSV:
            return sheet(heads, rows)
        case Form.HTML:
            return _html(title, heads, rows)
        case Form.JSON:
            keys = [head.replace(" ", "_") for head in heads]
            return f"{json.dumps([dict(zip(keys, row, strict=True)) for row in rows], ensure_ascii=False)}\n"
        case Form.MARKDOWN:
            return _markdown(heads, rows)


def text(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest text, without colours, so that scripts can cut it."""
    lines = [tuple(heads), *map(tuple, rows)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(heads))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )


def print_rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their heads: wrapped where a terminal is too narrow, else one line a row."""
    console = Console()
    if not console.is_terminal:
        click.echo(text(heads, rows), nl=False)
        return
    shown = Table(*(escape(head) for head in heads), box=SIMPLE, pad_edge=False)
    for row in rows:
        shown.add_row(*(escape(cell) for cell in row))
    console.print(shown, highlight=False)


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        shown = (cell.replace("\\", "\\\\").replace("|", "\\|") for cell in cells)
        return f"| {' | '.join(shown)} |\n"

    return line(heads) + line(["---"] * len(heads)) + "".join(line(row) for row in rows)


_STYLE = (
    "body{font:15px/1.4 system-ui,sans-serif;margin:2rem}table{border-collapse:collapse}"
    "th,td{border-bottom:1px solid #ccc;padding:.3rem .8rem;text-align:left;vertical-align:top}"
    "th{position:sticky;top:0;background:#fff}"
)


def _html(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>\n"

    head = html.escape(title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{head}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{head}</h1>\n<table>\n<thead>{line(heads, 'th')}</thead>\n"
        f"<tbody>\n{''.join(line(row, 'td') for row in rows)}</tbody></table></body></html>\n"
    )

"""`gateway mappings`: where every value comes from, which rule allows it, where it is kept and who may have it."""

from __future__ import annotations

from collections.abc import Iterator

import click

import adapters
import config
from adapters import Adapter
from commands.rendering import Form, print_rows, table
from errors import UnknownOperation
from exchange import Grant, Lineage
from routing.access import Access, Right

HEADS = ("rule", "system", "operation", "source element", "canonical field", "register column", "recipients")


@click.group()
def command() -> None:
    """The mapping tables."""


@command.command(name="table")
@click.option(
    "--format", "form", type=click.Choice([form.value for form in Form]), default="text", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--system", default="", help="Only this system.")
def table_(form: str, as_json: bool, system: str) -> None:
    """Print rule → source element → canonical field → register column → recipients, for every field.

    \b
    Example:  gateway mappings table --system vdeavk --format html > lineage.html
    """
    found = adapters.discover()
    if system and system not in found:
        raise UnknownOperation(f"systems: {', '.join(found)}")
    rights = Access.load(config.load().access).rights
    chosen = [found[system]] if system else list(found.values())
    rows = [row for adapter in chosen for row in lineage_rows(adapter, rights)]
    if as_json or form != Form.TEXT:
        click.echo(table("Lineage", HEADS, rows, Form.JSON if as_json else Form(form)), nl=False)
    else:
        print_rows(HEADS, rows)


def lineage_rows(adapter: Adapter, rights: tuple[Right, ...]) -> Iterator[tuple[str, ...]]:
    """One row for every field of every answer of a system, in the order of its mapping tables."""
    for operation in adapter.operations:
        name = f"{adapter.name}.{operation.name}"
        for line in operation.answer.lineage(adapter.name):
            given = ", ".join(recipients(line, name, rights)) or "nobody"
            yield (
                line.rule,
                adapter.name,
                operation.name,
                line.element,
                line.field,
                line.column or "—",
                given,
            )


def recipients(line: Lineage, operation: str, rights: tuple[Right, ...]) -> list[str]:
    """Who may have a field by this operation, sorted."""
    return sorted(
        {
            right.recipient
            for right in rights
            if operation in right.operations
            and Grant(frozenset(right.pairs())).permits(line.rule, line.source)
        }
    )

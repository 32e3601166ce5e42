"""`gateway mappings`: where every value comes from, which rule allows it, where it is kept and who may have it."""

from __future__ import annotations

import click

import config
from commands.rendering import Form, print_rows, table
from questions import lineage
from routing.access import Access


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
    rows = lineage.rows(Access.load(config.load().access).in_force(), system)
    if as_json or form != Form.TEXT:
        click.echo(table("Lineage", lineage.HEADS, rows, Form.JSON if as_json else Form(form)), nl=False)
    else:
        print_rows(lineage.HEADS, rows)

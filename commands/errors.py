"""`gateway errors`: the closed table of error codes, from which docs/errors.md is made."""

from __future__ import annotations

import click

from commands.rendering import Form, table
from errors import by_code

HEADS = ("code", "whose", "HTTP status", "SOAP 1.1 fault", "exit code", "again", "meaning")


@click.command()
@click.option(
    "--format", "form", type=click.Choice([form.value for form in Form]), default="text", show_default=True
)
@click.option("--markdown", is_flag=True, help="The page docs/errors.md.")
def command(form: str, markdown: bool) -> None:
    """Print every error code with its status, fault code, exit code and what to do.

    \b
    Example:  gateway errors --format csv > errors.csv
    """
    click.echo(page() if markdown else table("Error codes", HEADS, rows(), Form(form)), nl=False)


def rows() -> list[tuple[str, ...]]:
    """One row for each code, in the order of the tree."""
    return [
        (
            code,
            error.side.value,
            str(error.status),
            error().fault_code,
            str(error.exit_code),
            "yes" if error.retryable else "no",
            error().message,
        )
        for code, error in by_code().items()
    ]


def page() -> str:
    """The table as a page of the docs."""
    lines = [HEADS, ("---",) * len(HEADS), *rows()]
    return (
        "# Error codes\n"
        "Made by `gateway errors --markdown` from `errors.py`. A code never changes its meaning; *whose* says who has "
        "to change something, *again* whether the same message can succeed later. SOAP 1.2 says `Sender` and "
        "`Receiver` for `Client` and `Server`.\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)
    )

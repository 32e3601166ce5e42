"""`gateway access`: the rights of access.d as a table, and why a request would be allowed or not."""

from __future__ import annotations

from collections.abc import Sequence

import click

import config
from commands import AS_JSON, print_json
from commands.rendering import Form, print_rows, table
from exchange import Json
from questions.rights import (
    HEADS,
    MISSING_HEADS,
    Verdict,
    explain,
    in_force,
    missing,
    own_text,
    rows,
    rule_text,
    texts,
)
from routing.access import Access, Right


@click.group()
def command() -> None:
    """Who may ask what, as law in data."""


@command.command(name="table")
@click.option(
    "--format", "form", type=click.Choice([form.value for form in Form]), default="text", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def table_(form: str, as_json: bool) -> None:
    """Print every right with the point that entitles to it, and after them what the law gives and is not served yet.

    As Markdown this is docs/access-matrix.md. CSV and JSON hold the rights alone.

    \b
    Examples: gateway access table --format html > access.html
              gateway access table --format markdown > docs/access-matrix.md
    """
    rights = Access.load(config.load().access).rights
    listed = list(rows(rights))
    wanted = Form.JSON if as_json else Form(form)
    if wanted is Form.MARKDOWN:
        click.echo(matrix(rights), nl=False)
        return
    if wanted is not Form.TEXT:
        click.echo(table("Access", HEADS, listed, wanted), nl=False)
        return
    print_rows(HEADS[:-1], [row[:-1] for row in listed])
    click.echo()
    print_rows(("rule", "text"), texts(rights))
    click.echo()
    print_rows(MISSING_HEADS, list(missing()))


def matrix(rights: Sequence[Right]) -> str:
    """The whole matrix as a page for lawyers: docs/access-matrix.md."""
    listed = [row[:-1] for row in rows(rights)]
    return (
        "# Who may have what\n"
        "Made by `gateway access table --format markdown` from `config/access.d/`, `mappings/entitlements.tsv` and "
        "the regulation; a test says when it is not current. What is not listed is denied. A rule covers its "
        "sub-points; a value leaves when its rule and its source are granted; a day is one in Riga. *Pseudonyms*: "
        "nothing that names a person leaves, and no two recipients get the same pseudonym. A grant holds on the "
        "days under *in force*, the first and the last included; a delegated task (18.4) names its contract and ends "
        "with it.\n\n"
        f"## Rights\n{table('', HEADS[:-1], listed, Form.MARKDOWN)}\n"
        f"## What the law gives, and how far it is served\n"
        f"{table('', MISSING_HEADS, list(missing()), Form.MARKDOWN)}\n"
        f"## Rules\n{table('', ('rule', 'text'), texts(rights), Form.MARKDOWN)}"
    )


@command.command()
@click.argument("recipient")
@click.argument("operation")
@click.option("--purpose", default="", help="Is it allowed for this purpose?")
@click.option("--rule", default="", help="Is it allowed under this rule?")
@AS_JSON
def check(recipient: str, operation: str, purpose: str, rule: str, as_json: bool) -> None:
    """Say whether RECIPIENT may ask for OPERATION, by which point and rules, and what it would be given and not given.

    OPERATION is written as in access.d, e.g. pmlp.GetPerson. Exit code 4 when it is denied.

    \b
    Example:  gateway access check spolis-core pmlp.GetPerson --purpose social-service --rule p8.4
    """
    verdict = explain(Access.load(config.load().access), recipient, operation, purpose, rule)
    denial = verdict.denial
    if as_json:
        print_json(
            {
                "allowed": denial is None,
                "code": denial.code if denial else None,
                "rights": [_right(right) for right in verdict.rights],
                "given": list[Json](verdict.given),
                "withheld": list[Json](verdict.withheld),
            }
        )
    else:
        _tell(verdict, recipient, operation, rule)
    if denial is not None:
        raise denial


def _tell(verdict: Verdict, recipient: str, operation: str, rule: str) -> None:
    if rule:
        click.echo(f"{rule}: {rule_text(rule)}")
    if not verdict.rights:
        for right in verdict.granted:
            click.echo(
                f"granted is {operation} for {', '.join(right.purposes)} under {', '.join(right.rules)} only"
            )
        for right in verdict.asleep:
            click.echo(f"{operation} is not granted today; in force: {in_force(right)}")
        if not verdict.granted:
            click.echo(f"nothing grants {recipient} {operation}; what is not granted is denied")
        return
    click.echo(f"{recipient} may ask for {operation}:")
    for right in verdict.rights:
        if right.basis:
            click.echo(f"  by      {right.basis} {rule_text(right.basis)}")
        click.echo(f"  for     {', '.join(right.purposes)}")
        click.echo(f"  from    {', '.join(right.sources)}")
        click.echo(f"  a day   {right.requests_day} requests, {right.persons_day} persons")
        if right.task:
            click.echo(f"  task    {right.task}, {right.contract}")
        click.echo(f"  holds   {in_force(right)}")
        if not right.identifying:
            click.echo("  persons stand under pseudonyms, and nothing that names them leaves")
        for own_rule in right.rules:
            click.echo(f"  {own_rule:<9} {own_text(own_rule)}")
    click.echo(f"given:    {', '.join(verdict.given) or 'nothing'}")
    click.echo(f"withheld: {', '.join(verdict.withheld) or 'nothing'}")


def _right(right: Right) -> dict[str, Json]:
    return {
        "basis": right.basis,
        "identifying": right.identifying,
        "task": right.task,
        "contract": right.contract,
        "since": right.since.isoformat() if right.since else None,
        "until": right.until.isoformat() if right.until else None,
        "purposes": list[Json](right.purposes),
        "rules": {rule: rule_text(rule) for rule in right.rules},
        "sources": list[Json](right.sources),
        "requests_day": right.requests_day,
        "persons_day": right.persons_day,
    }

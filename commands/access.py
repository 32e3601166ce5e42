"""`gateway access`: the rights of access.d as a table, and why a request would be allowed or not."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

import click

import adapters
import config
import mappings.services
from adapters import Operation
from commands import print_json
from commands.rendering import Form, print_rows, table
from errors import AccessDenied, UnknownOperation
from exchange import Context, Environment, Grant, Json, Official
from mappings.regulation import chain, rules
from mappings.services import Reading, Submission, ping
from routing.access import Access, Right
from routing.register_routes import SYSTEM as REGISTERS

HEADS = (
    "recipient",
    "operation",
    "purposes",
    "rules",
    "sources",
    "requests a day",
    "persons a day",
    "rule texts",
)


@click.group()
def command() -> None:
    """Who may ask what, as law in data."""


@command.command(name="table")
@click.option(
    "--format", "form", type=click.Choice([form.value for form in Form]), default="text", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def table_(form: str, as_json: bool) -> None:
    """Print every right, one row for each recipient and operation.

    \b
    Example:  gateway access table --format csv
    """
    rights = Access.load(config.load().access).rights
    rows = list(_rows(rights))
    if as_json or form != Form.TEXT:
        click.echo(table("Access", HEADS, rows, Form.JSON if as_json else Form(form)), nl=False)
        return
    print_rows(HEADS[:-1], [row[:-1] for row in rows])
    click.echo()
    named = {rule for right in rights for rule in right.rules}
    print_rows(("rule", "text"), [(rule, own_text(rule)) for rule in rules() if rule in named])


@command.command()
@click.argument("recipient")
@click.argument("operation")
@click.option("--purpose", default="", help="Is it allowed for this purpose?")
@click.option("--rule", default="", help="Is it allowed under this rule?")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def check(recipient: str, operation: str, purpose: str, rule: str, as_json: bool) -> None:
    """Say whether RECIPIENT may ask for OPERATION, under which rights, and what it would be given and not given.

    OPERATION is written as in access.d, e.g. pmlp.GetPerson. Exit code 4 when it is denied.

    \b
    Example:  gateway access check spolis-core pmlp.GetPerson --purpose social-service --rule p8.4
    """
    rights = Access.load(config.load().access)
    asked = find_operation(operation)
    denial: AccessDenied | None = None
    found: tuple[Right, ...] = ()
    try:
        found = matching(rights, recipient, operation, purpose, rule)
    except AccessDenied as error:
        denial = error
    if as_json:
        print_json(
            {
                "allowed": denial is None,
                "code": denial.code if denial else None,
                "rights": [_right(right) for right in found],
                "withheld": list[Json](_withheld(asked, found)),
            }
        )
    else:
        _explain(rights, recipient, operation, rule, found, asked)
    if denial is not None:
        raise denial


def matching(
    access: Access, recipient: str, operation: str, purpose: str = "", rule: str = ""
) -> tuple[Right, ...]:
    """The rights by which the gateway itself would allow a request; an empty purpose or rule stands for any granted.

    Raises: AccessDenied, PurposeNotAllowed.
    """
    found: dict[Right, None] = {}
    denial: AccessDenied | None = None
    own = [right for right in access.rights_of(recipient) if operation in right.operations]
    for granted, law in [(right.purposes[0], right.rules[0]) for right in own] or [("", "")]:
        context = Context(
            purpose=purpose or granted,
            rule=rule or law,
            official=Official("", "", ""),
            case="",
            request_id=uuid.UUID(int=0),
            environment=Environment.TEST,
        )
        try:
            found |= dict.fromkeys(access.decide(recipient, operation, context).rights)
        except AccessDenied as error:
            denial = error
    if denial is not None and not found:
        raise denial
    return tuple(found)


def find_operation(name: str) -> tuple[str, Operation] | None:
    """The system and its operation that answer an operation of access.d; None for a register's or the gateway's own.

    Raises: UnknownOperation when no system, service or register has it.
    """
    system, _, operation = name.partition(".")
    if system == REGISTERS:
        return None
    found = adapters.discover()
    services = mappings.services.discover()
    if system in services:
        via = next((own.via for own in services[system].operations if own.name == operation), ("", ""))
        if isinstance(via, Submission | Reading) or via[0] in (REGISTERS, ping.SYSTEM):
            return None
        system, operation = via
    target = found[system].operation(operation) if system in found else None
    if target is None:
        raise UnknownOperation("an operation is written as in access.d, e.g. pmlp.GetPerson")
    return system, target


def _explain(
    access: Access,
    recipient: str,
    operation: str,
    rule: str,
    found: tuple[Right, ...],
    asked: tuple[str, Operation] | None,
) -> None:
    if rule:
        click.echo(f"{rule}: {rule_text(rule)}")
    if not found:
        for right in (own for own in access.rights_of(recipient) if operation in own.operations):
            click.echo(
                f"granted is {operation} for {', '.join(right.purposes)} under {', '.join(right.rules)} only"
            )
        return
    click.echo(f"{recipient} may ask for {operation}:")
    for right in found:
        click.echo(f"  for     {', '.join(right.purposes)}")
        click.echo(f"  from    {', '.join(right.sources)}")
        click.echo(f"  a day   {right.requests_day} requests, {right.persons_day} persons")
        for own_rule in right.rules:
            click.echo(f"  {own_rule:<9} {own_text(own_rule)}")
    withheld = _withheld(asked, found)
    if asked is not None:
        click.echo(f"withheld: {', '.join(withheld) or 'nothing'}")


def rule_text(rule: str) -> str:
    """The text of a rule after the heads of the points above it."""
    return " › ".join(own.text.rstrip(":") for own in chain(rule)) or "not in the regulation"


def own_text(rule: str) -> str:
    """The text of a rule alone."""
    found = rules().get(rule)
    return found.text.rstrip(":") if found else "not in the regulation"


def _withheld(asked: tuple[str, Operation] | None, rights: tuple[Right, ...]) -> tuple[str, ...]:
    if asked is None or not rights:
        return ()
    system, operation = asked
    grant = Grant(frozenset(pair for right in rights for pair in right.pairs()))
    return operation.answer.withheld(lambda rule: grant.permits(rule, system))


def _right(right: Right) -> dict[str, Json]:
    return {
        "purposes": list[Json](right.purposes),
        "rules": {rule: rule_text(rule) for rule in right.rules},
        "sources": list[Json](right.sources),
        "requests_day": right.requests_day,
        "persons_day": right.persons_day,
    }


def _rows(rights: Sequence[Right]) -> Iterator[tuple[str, ...]]:
    for right in sorted(rights, key=lambda right: (right.recipient, right.operations)):
        for operation in right.operations:
            yield (
                right.recipient,
                operation,
                ", ".join(right.purposes),
                ", ".join(right.rules),
                ", ".join(right.sources),
                str(right.requests_day),
                str(right.persons_day),
                "; ".join(f"{rule}: {own_text(rule)}" for rule in right.rules),
            )

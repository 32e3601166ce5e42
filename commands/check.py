"""`gateway check`: whether every adapter, contract, mapping table and right is as the house demands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click
from sqlalchemy import create_engine

import adapters
import config
import mappings.services
import registers
import wsdl
from adapters import Adapter
from commands import AS_JSON, print_json, quality
from commands.quality import House, Quality
from exchange import Json
from mappings import identifying
from mappings.entitlements import State, entitlements, entitling_points
from mappings.regulation import rules
from mappings.services import OwnReading, Reading, Submission
from routing import comparisons
from routing.access import Access
from routing.register_routes import register_routes

# (what it is about: a system, or "" for the house; what is wrong)
Finding = tuple[str, str]


@click.command()
@AS_JSON
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Check every adapter by the quality scale, and contracts, services, registers and access.d against each other.

    Prints how each adapter answers the scale, and what is wrong: a rule without an answer, and `done` where it is not
    so. The recorded requests of each are sent to its simulator within this process. Exit code 1 when something is
    wrong. docs/quality-scale.md has the rules.

    \b
    Example:  gateway check --json
    """
    found, access = adapters.discover(), Access.load(config.load().access)
    house = House.here()
    findings: list[Finding] = [
        *(("", f"wsdl/{line}") for line in wsdl.changed_files() if line.partition("/")[0] not in found),
        *((adapter.name, what) for adapter in found.values() for what in quality.findings(adapter, house)),
        *service_findings(),
        *register_findings(),
        *access_findings(access, found),
        *entitlement_findings(access),
    ]
    answers: list[Json] = []
    for adapter in found.values():
        own = Quality.of(adapter)
        answers.append(
            {
                "adapter": adapter.name,
                "done": list[Json](own.done),
                "todo": list[Json](own.todo),
                "exempt": dict[str, Json](own.exempt),
                "findings": [what for about, what in findings if about == adapter.name],
            }
        )
    if as_json:
        print_json(answers)
    else:
        for adapter in found.values():
            click.echo(_line(adapter))
    for about, what in findings:
        click.echo(f"{about or 'gateway'}: {what}", err=True)
    if findings:
        ctx.exit(1)
    if not as_json:
        click.echo(f"{len(found)} adapters, nothing wrong")


def service_findings() -> Iterator[Finding]:
    """Operations of our own services that are not mapped, or whose records are not as they should be."""
    for service in mappings.services.discover().values():
        contract = wsdl.contract(f"spolis/{service.name}", service.version)
        for name in sorted(set(contract.operations) ^ {own.name for own in service.operations}):
            yield "", f"service {service.name}: operation {name} is in the contract or the mapping only"
        for own in service.operations:
            for part in (own.request, own.answer):
                for problem in part.problems(contract):
                    yield "", f"service {service.name}, {own.name}: {problem}"
            for problem in via_findings(own.via):
                yield "", f"service {service.name}, {own.name}: {problem}"


def via_findings(via: tuple[str, str] | Submission | Reading | OwnReading) -> Iterator[str]:
    """What a service hands in or reads under no rule, or reads of a register that does not keep it."""
    if not isinstance(via, Submission | Reading):
        return
    for line in via.table.lineage(""):
        if line.rule not in rules():
            yield f"{line.field} names {line.rule!r}, which is no rule"
    if isinstance(via, Reading):
        kept = registers.REGISTERS.get(via.register)
        if kept is None:
            yield f"reads the unknown register {via.register}"
            return
        columns = {f"{kept.table.name}.{name}" for name in kept.fields}
        for line in via.table.lineage(""):
            if line.column not in columns:
                yield f"{line.field} is not kept in the register {via.register}"


def register_findings() -> Iterator[Finding]:
    """Register columns whose rule is not in the regulation."""
    for register in registers.REGISTERS.values():
        parts = [register, *(part.register for part in register.parts.values())]
        for part in parts:
            for column, rule in part.fields.items():
                if rule not in rules():
                    yield "", f"register {register.name}: {column} names {rule!r}, which is no rule"


def access_findings(access: Access, found: Mapping[str, Adapter]) -> Iterator[Finding]:
    """Rights that name operations, rules or sources that there are not: they would grant nothing."""
    operations = {
        *(
            f"{adapter.name}.{operation.name}"
            for adapter in found.values()
            for operation in adapter.operations
        ),
        *(
            f"{service.name}.{operation.name}"
            for service in mappings.services.discover().values()
            for operation in service.operations
        ),
        *(f"{system}.{operation}" for system, operation in register_routes(create_engine("sqlite://"))),
        *(f"{comparisons.SYSTEM}.{comparisons.operation_name(system)}" for system in comparisons.discover()),
    }
    suppliers = {
        operation.via.source
        for service in mappings.services.discover().values()
        for operation in service.operations
        if isinstance(operation.via, Submission)
    }
    sources = {*found, *suppliers, *(register.source for register in registers.REGISTERS.values())}
    for right in access.rights:
        for kind, named, known in (
            ("operation", right.operations, operations),
            ("rule", right.rules, set(rules())),
            ("source", right.sources, sources),
        ):
            for name in named:
                if name not in known:
                    yield "", f"access.d: {right.recipient} is granted the unknown {kind} {name}"


def entitlement_findings(access: Access) -> Iterator[Finding]:
    """Points of the law that nobody answers for, rights without a basis in it, and lines that are no longer true."""
    lines = entitlements()
    where = "entitlements.tsv"
    named = {line.point for line in lines}
    for point in entitling_points():
        if point not in named:
            yield "", f"{where}: nothing is said of {point}"
    for line in lines:
        if line.point not in entitling_points():
            yield "", f"{where}: {line.point} entitles nobody"
        held = any((right.recipient, right.basis) == (line.recipient, line.point) for right in access.rights)
        if held == (line.state is State.NOT_YET):
            has = "has" if held else "has not"
            yield "", f"{where}: {line.recipient} {has} a right by {line.point}, which is {line.state}"
    for right in access.rights:
        if right.basis not in rules():
            yield "", f"access.d: a right of {right.recipient} names no basis: {', '.join(right.operations)}"
        elif right.basis in entitling_points() and (right.basis, right.recipient) not in {
            (line.point, line.recipient) for line in lines
        }:
            yield "", f"{where}: nothing is said of {right.recipient} by {right.basis}"
    for one in identifying.lines():
        if one.rule not in rules():
            yield "", f"identifying.tsv: {one.rule!r} is no rule"


def _line(adapter: Adapter) -> str:
    own = Quality.of(adapter)
    parts = [
        f"{adapter.name} {adapter.version}",
        f"done: {', '.join(own.done)}",
        f"todo: {', '.join(own.todo)}",
    ]
    return "; ".join([*parts, *(f"exempt: {rule} ({reason})" for rule, reason in own.exempt.items())])

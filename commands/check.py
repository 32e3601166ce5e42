"""`gateway check`: whether every adapter, contract, mapping table and right is as the house demands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from sqlalchemy import create_engine

import adapters
import config
import mappings.services
import registers
import wsdl
from adapters import Adapter
from commands import print_json
from errors import ConfigurationError
from exchange import Json
from mappings import identifying
from mappings.entitlements import State, entitlements, entitling_points
from mappings.regulation import rules
from mappings.services import Reading, Submission
from routing import comparisons
from routing.access import Access
from routing.register_routes import register_routes

EXCHANGES = config.CHECKOUT / "tests" / "exchanges"

# (what it is about: a system, or "" for the house; what is wrong)
Finding = tuple[str, str]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Check every adapter against its contract, its golden cases and the regulation, and access.d against all.

    Prints how each adapter answers the quality scale, and what is wrong; exit code 1 when something is.

    \b
    Example:  gateway check --json
    """
    settings = config.load()
    found, access = adapters.discover(), Access.load(settings.access)
    findings = [
        *contract_findings(found),
        *(finding for adapter in found.values() for finding in adapter_findings(adapter, found)),
        *(finding for adapter in found.values() for finding in case_findings(adapter, EXCHANGES)),
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


@dataclass(frozen=True, slots=True)
class Quality:
    """An adapter's answers to the quality scale, sorted by answer; `exempt` with its reasons."""

    done: list[str]
    todo: list[str]
    exempt: dict[str, str]

    @classmethod
    def of(cls, adapter: Adapter) -> Quality:
        """The answers of an adapter; what is answered otherwise is a finding, not an answer."""
        answers = adapter.quality.items()
        return cls(
            done=[rule for rule, answer in answers if answer == "done"],
            todo=[rule for rule, answer in answers if answer == "todo"],
            exempt={
                rule: answer.removeprefix("exempt:").strip()
                for rule, answer in answers
                if answer.startswith("exempt:")
            },
        )


def contract_findings(found: Mapping[str, Adapter]) -> Iterator[Finding]:
    """Files of contracts that are not as published."""
    for line in wsdl.changed_files():
        name = line.partition("/")[0]
        yield (name if name in found else "", f"wsdl/{line}")


def adapter_findings(adapter: Adapter, found: Mapping[str, Adapter]) -> Iterator[Finding]:
    """Rules of the quality scale left open, operations that are not mapped, fields without a rule of the law."""
    scale = sorted({rule for other in found.values() for rule in other.quality})
    for rule in scale:
        answer = adapter.quality.get(rule, "")
        exempt, _, reason = answer.partition(":")
        if answer not in ("done", "todo") and not (exempt == "exempt" and reason.strip()):
            yield adapter.name, f"quality rule {rule} is answered neither done, todo nor exempt: reason"
    try:
        contract = wsdl.contract(adapter.name, adapter.version)
    except ConfigurationError as error:
        yield adapter.name, error.detail
        return
    for name in sorted(set(contract.operations) ^ {operation.name for operation in adapter.operations}):
        where = "the contract only" if name in contract.operations else "the adapter only"
        yield adapter.name, f"operation {name} is in {where}"
    for operation in adapter.operations:
        for part in (operation.request, operation.answer):
            for problem in part.problems(contract):
                yield adapter.name, f"{operation.name}: {problem}"
        for line in operation.answer.lineage(adapter.name):
            if line.rule not in rules():
                yield adapter.name, f"{operation.name}: {line.field} names {line.rule!r}, which is no rule"


def case_findings(adapter: Adapter, exchanges: Path) -> Iterator[Finding]:
    """Operations without a golden case of success or of a fault; nothing where the tests are not installed."""
    if not exchanges.is_dir():
        return
    held: dict[str, set[str]] = {operation.name: set() for operation in adapter.operations}
    for path in sorted((exchanges / adapter.name).glob("*/request.json")):
        try:
            operation = json.loads(path.read_text(encoding="utf-8"))["operation"]
        except (ValueError, KeyError, TypeError):
            yield adapter.name, f"golden case {path.parent.name}: request.json names no operation"
            continue
        if operation not in held:
            yield adapter.name, f"golden case {path.parent.name}: unknown operation {operation}"
            continue
        held[operation] |= {name for name in ("record.json", "error.json") if (path.parent / name).exists()}
    for name, files in held.items():
        for wanted, file in (("success", "record.json"), ("a fault", "error.json")):
            if file not in files:
                yield adapter.name, f"{name} has no golden case of {wanted}"


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


def via_findings(via: tuple[str, str] | Submission | Reading) -> Iterator[str]:
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

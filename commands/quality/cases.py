"""Rules on the golden cases: what is recorded of each operation, and that quirks name the case that shows them."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from datetime import date

import wsdl
from adapters import Adapter
from commands.quality.house import Case, House
from errors import ConfigurationError, GatewayError
from security.xml import parse
from wsdl.description import describe

_QUIRK = re.compile(r"#\s*Quirk (?P<day>\d{4}-\d{2}-\d{2}) \((?P<case>[a-z0-9-]+)\): \S")


def recorded(adapter: Adapter, house: House) -> Iterator[str]:
    """Operations without a recorded success or fault, and cases of operations that there are not."""
    if not house.has_tests:
        return
    held: dict[str, set[str]] = {operation.name: set() for operation in adapter.operations}
    for case in house.cases(adapter):
        if case.operation in held:
            held[case.operation] |= {name for name in ("record.json", "error.json") if case.has(name)}
            if not case.has("sent.xml"):
                yield f"golden case {case.folder.name} is unfinished: pytest tests/exchanges --update"
        elif case.operation:
            yield f"golden case {case.folder.name}: unknown operation {case.operation}"
        else:
            yield f"golden case {case.folder.name}: request.json names no operation"
    for name, files in held.items():
        for wanted, file in (("success", "record.json"), ("a fault", "error.json")):
            if file not in files:
                yield f"{name} has no golden case of {wanted}"


def faults(adapter: Adapter, house: House) -> Iterator[str]:
    """Operations whose contract declares a fault of which no case is recorded."""
    if not house.has_tests:
        return
    try:
        contract = wsdl.contract(adapter.name, adapter.version)
    except ConfigurationError:
        return  # that there is none, the rule `contract` says
    shown = {case.operation for case in house.cases(adapter) if _is_fault(case)}
    for name, exchange in describe(contract.wsdl, wsdl.ROOT).operations.items():
        if exchange.faults and name not in shown:
            declared = ", ".join(fault.name for fault in exchange.faults)
            yield f"{name} may answer with the fault {declared}, and no golden case shows one"


def quirks(adapter: Adapter, house: House) -> Iterator[str]:
    """Comments on quirks that are not dated, or name a case that is not there."""
    if not house.has_tests:
        return
    cases = {case.folder.name for case in house.cases(adapter)}
    for room in ("mappings", "adapters"):
        path = house.root / room / f"{adapter.name}.py"
        for number, comment in _comments(path.read_text(encoding="utf-8")):
            if "quirk" not in comment.lower():
                continue
            where, match = f"{room}/{path.name}:{number}", _QUIRK.match(comment)
            if match is None or not _is_day(match["day"]):
                yield f"{where}: a quirk is written `# Quirk 2026-01-31 (golden-case): what the partner does`"
            elif match["case"] not in cases:
                yield f"{where}: there is no golden case {match['case']}"


def _is_fault(case: Case) -> bool:
    try:
        answer = parse((case.folder / "answer.xml").read_bytes())
    except (OSError, GatewayError):
        return False
    return bool(answer.tag.rpartition("}")[2] == "Fault") and case.has("error.json")


def _comments(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True

"""The quality scale: what is answered `done` is looked at, and each rule is seen broken once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

import adapters
import config
import wsdl
from adapters import Adapter, Operation, Query, Repeat
from commands import quality
from commands.quality import RULES, Quality, calls, cases, contracts, keeping, pages, rehearsed
from commands.quality.house import House
from mappings.codes import Code, CodeList
from mappings.fields import Field
from mappings.fields import code as coded
from mappings.mapping import Mapping as Table
from questions.quality import SCALE
from simulators.discovery import Past, Simulator, discover
from simulators.population import Population
from simulators.service import Call, Model, application, shared_types
from wsdl.spyne_compat import Date, ServiceBase, Unicode, rpc

FOUND = adapters.discover()
HERE = House.here()
NAMES = [rule.name for rule in RULES]


def findings_of(adapter: Adapter, house: House = HERE) -> list[str]:
    return list(quality.findings(adapter, house))


def changed(adapter: Adapter, **values: object) -> Adapter:
    """The adapter with its first operation changed."""
    first, *others = adapter.operations
    made: Operation = replace(first, **values)  # type: ignore[arg-type] # the names are the fields'
    return replace(adapter, operations=(made, *others))


def table(old: Table[object], fields: Mapping[int, object]) -> Table[object]:
    """The same table with fields replaced by their place, None leaves one out."""
    kept = [fields.get(n, field) for n, field in enumerate(old.fields)]
    return Table(old.record_type, old.namespace, old.element, [f for f in kept if isinstance(f, Field)])


@pytest.fixture
def copy(tmp_path: Path) -> House:
    """A checkout of what the rules look at, to break things in."""
    for name in ("wsdl", "docs/systems", "tests/exchanges", "config/systems.d", "config/access.d"):
        shutil.copytree(config.CHECKOUT / name, tmp_path / name)
    for room in ("mappings", "adapters", "registers", "simulators"):
        shutil.copytree(config.CHECKOUT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    return House(tmp_path, HERE.settings)


@pytest.mark.parametrize("adapter", FOUND.values(), ids=lambda adapter: adapter.name)
def test_every_adapter_answers_the_scale(adapter: Adapter) -> None:
    """That each is as it says is seen by `gateway check`, here in test_check.py."""
    assert set(adapter.quality) == set(NAMES)


def test_an_adapter_is_as_it_says_in_a_copy_too(copy: House) -> None:
    assert findings_of(FOUND["iemic"], copy) == []


def test_the_names_of_rules_are_one_each_and_explained() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert list(SCALE) == NAMES
    page = (config.CHECKOUT / "docs" / "quality-scale.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_of_the_scale_is_answered(name: str) -> None:
    answers = dict(FOUND["iemic"].quality)
    del answers[name]
    (found,) = findings_of(replace(FOUND["iemic"], quality=answers))
    assert found.startswith(f"quality rule {name} is answered neither done, todo nor exempt: reason (")


@pytest.mark.parametrize("answer", ["", "yes", "Done", "exempt", "exempt:", "exempt: "])
def test_an_answer_is_done_todo_or_exempt_with_a_reason(answer: str) -> None:
    adapter = replace(FOUND["iemic"], quality={**FOUND["iemic"].quality, "lineage": answer})
    assert any("lineage" in found for found in findings_of(adapter))


def test_an_answer_to_no_rule_is_found() -> None:
    adapter = replace(FOUND["iemic"], quality={**FOUND["iemic"].quality, "linage": "done"})
    assert findings_of(adapter) == ["quality rule linage is not in the scale"]


def test_an_exemption_keeps_its_reason() -> None:
    adapter = replace(FOUND["pmlp"], quality={"a": "done", "b": "todo", "c": "exempt: no feed: none"})
    assert Quality.of(adapter) == Quality(["a"], ["b"], {"c": "no feed: none"})


def test_only_what_is_answered_done_is_looked_at_but_for_what_must_always_hold(copy: House) -> None:
    (copy.root / "docs/systems/iemic.md").unlink()
    (copy.root / "wsdl/iemic/v1-0/iemic.xsd").write_bytes(b"<x/>")
    answers = {**FOUND["iemic"].quality, "runbook": "todo", "contract": "todo"}
    assert findings_of(replace(FOUND["iemic"], quality=answers), copy) == [
        "contract: wsdl/iemic/v1-0/iemic.xsd: changed"
    ]


def test_contract(copy: House) -> None:
    assert list(contracts.pinned(replace(FOUND["sais"], version="v9-9"), copy)) == [
        "no contract in wsdl/sais/v9-9"
    ]
    (copy.root / "wsdl/sais/v1-1" / wsdl.CHECKSUMS).unlink()
    assert list(contracts.pinned(FOUND["sais"], copy)) == ["wsdl/sais/v1-1/SHA256SUMS: missing"]
    assert list(contracts.pinned(FOUND["iemic"], copy)) == []


def test_operations() -> None:
    kept, *_ = FOUND["sais"].operations
    lost = list(contracts.mapped(replace(FOUND["sais"], operations=()), HERE))
    assert "operation GetPayments is in the contract only" in lost
    invented = replace(FOUND["sais"], operations=(kept, replace(kept, name="GetRiches")))
    assert "operation GetRiches is in the adapter only" in list(contracts.mapped(invented, HERE))


def test_operations_are_mapped_to_the_last_element() -> None:
    (operation,) = FOUND["iemic"].operations
    answer = table(operation.answer, {4: None})
    (found,) = contracts.mapped(changed(FOUND["iemic"], answer=answer), HERE)
    assert found == "CheckDocument: /CheckDocumentResponse/Statuss: mandatory, but not mapped"


def test_operations_have_code_lists_with_codes() -> None:
    (operation,) = FOUND["iemic"].operations
    empty = CodeList("nothing", dict[str, Code](), {})
    answer = table(operation.answer, {4: coded("status", "Statuss", empty, rule="p8.11.6")})
    (found,) = contracts.mapped(changed(FOUND["iemic"], answer=answer), HERE)
    assert found == "CheckDocument: the code list nothing has no codes"


@pytest.mark.parametrize("part", ["request", "answer"])
def test_rules(part: str) -> None:
    (operation,) = FOUND["iemic"].operations
    old: Table[object] = getattr(operation, part)
    first = old.fields[1]
    assert isinstance(first, Field)
    unlawful = changed(FOUND["iemic"], **{part: table(old, {1: replace(first, rule="p99.1")})})
    found = list(contracts.lawful(unlawful, HERE))
    assert found[0] == f"CheckDocument: {first.name} names 'p99.1', which is no rule"
    assert [one for one in found[1:] if "under another rule" not in one] == []


def case(folder: Path, operation: str, *files: str) -> None:
    folder.mkdir(parents=True)
    (folder / "request.json").write_text(
        json.dumps({"operation": operation, "arguments": {}}), encoding="utf-8"
    )
    for name in ("sent.xml", *files):
        (folder / name).write_text("{}", encoding="utf-8")


def test_golden_cases(tmp_path: Path) -> None:
    operation, *_ = FOUND["sais"].operations
    sais, house = replace(FOUND["sais"], operations=(operation,)), House(tmp_path, HERE.settings)
    assert list(cases.recorded(sais, house)) == [], "they are not installed"
    house.exchanges.mkdir(parents=True)
    assert list(cases.recorded(sais, house)) == [
        "GetPayments has no golden case of success",
        "GetPayments has no golden case of a fault",
    ]
    folder = house.exchanges / "sais"
    case(folder / "good", "GetPayments", "record.json")
    assert list(cases.recorded(sais, house)) == ["GetPayments has no golden case of a fault"]
    case(folder / "fault", "GetPayments", "error.json")
    assert list(cases.recorded(sais, house)) == []
    (folder / "good" / "sent.xml").unlink()
    case(folder / "odd", "GetRiches", "record.json")
    (folder / "broken").mkdir()
    (folder / "broken" / "request.json").write_text("[]", encoding="utf-8")
    assert list(cases.recorded(sais, house)) == [
        "golden case broken: request.json names no operation",
        "golden case good is unfinished: pytest tests/exchanges --update",
        "golden case odd: unknown operation GetRiches",
    ]


def test_faults(copy: House) -> None:
    assert list(cases.faults(FOUND["iemic"], copy)) == []
    answer = copy.exchanges / "iemic" / "unavailable" / "answer.xml"
    answer.write_text(
        answer.read_text(encoding="utf-8").replace("soap:Fault", "soap:Vault"), encoding="utf-8"
    )
    (found,) = cases.faults(FOUND["iemic"], copy)
    assert found == "CheckDocument may answer with the fault Kluda, and no golden case shows one"


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("# Quirk 2026-03-01 (invalid): numbers come in small letters", ""),
        ("# A quirk of theirs: numbers come in small letters", "a quirk is written"),
        ("# Quirk 2026-13-01 (invalid): no such month", "a quirk is written"),
        ("# Quirk 2026-03-01 (invalid):", "a quirk is written"),
        ("# Quirk 2026-03-01 (no-such-case): numbers", "there is no golden case no-such-case"),
    ],
)
def test_quirks(copy: House, comment: str, said: str) -> None:
    path = copy.root / "mappings" / "iemic.py"
    path.write_text(f'{path.read_text(encoding="utf-8")}\nA = "a quirk"  {comment}\n', encoding="utf-8")
    found = list(cases.quirks(FOUND["iemic"], copy))
    assert [said in one for one in found] == ([True] if said else [])


def test_retry_safety_asks_for_questions_that_can_be_asked() -> None:
    notify = next(one for one in FOUND["sais"].operations if one.query is not None)
    assert notify.query is not None

    def judged(operation: Operation) -> list[str]:
        others = [one for one in FOUND["sais"].operations if one.name != operation.name]
        return list(calls.retry_declared(replace(FOUND["sais"], operations=(operation, *others))))

    assert judged(notify) == []
    unasked = replace(notify, repeat=Repeat.QUERYABLE, query=None)
    assert judged(unasked) == ["NotifyCareStay is queryable and names no query"]

    def asking(name: str) -> Query:
        return Query(name, arguments=lambda message_id: {"message_id": message_id}, took_effect=bool)

    assert "which there is not" in judged(replace(notify, query=asking("GetNothing")))[0]
    assert "has an effect itself" in judged(replace(notify, query=asking("NotifyCareStay")))[0]


def test_retry_safety_is_tried_on_the_simulator() -> None:
    sais = FOUND["sais"]
    assert list(rehearsed.retry_safety(sais, HERE)) == []
    forgetful = rehearsed.New(forgetful=True)
    (found,) = rehearsed.retry_safety(sais, HERE, forgetful)
    assert found == "NotifyCareStay is sent again on trust, and its simulator lets it take effect twice"
    asked = replace(sais, operations=tuple(replace(one, repeat=Repeat.NEITHER) for one in sais.operations))
    assert list(rehearsed.retry_safety(asked, HERE, forgetful)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("timeout_s = 10.0\n", ""), "sets no timeout_s"),
        (lambda text: text.replace("[systems.iemic]", "[systems.other]"), "has no [systems.iemic]"),
        (lambda _text: "[", "has no [systems.iemic]"),
    ],
)
def test_time_outs(copy: House, change: Callable[[str], str], said: str) -> None:
    path = copy.root / "config/systems.d/iemic.toml"
    assert list(calls.time_outs(FOUND["iemic"], copy)) == []
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    (found,) = calls.time_outs(FOUND["iemic"], copy)
    assert said in found


@pytest.mark.parametrize("seconds", [0.0, 31.0])
def test_a_time_out_is_within_an_exchange(seconds: float) -> None:
    own = replace(HERE.settings.system("iemic"), timeout_s=seconds)
    settings = replace(HERE.settings, systems={**HERE.settings.systems, "iemic": own})
    (found,) = calls.time_outs(FOUND["iemic"], replace(HERE, settings=settings))
    assert "at most 30.0" in found


def test_signed_both_ways_and_simulator_are_seen_by_doing(copy: House) -> None:
    assert list(rehearsed.signed(FOUND["iemic"], copy)) == []
    assert list(rehearsed.simulated(FOUND["iemic"], copy)) == []
    # A system whose answers have codes, and whose simulator never sends an unknown one.
    notices = replace(FOUND["sais"], operations=FOUND["sais"].operations[2:])
    (operation,) = notices.operations
    lies = replace(operation, answer=FOUND["iemic"].operations[0].answer)
    found = list(rehearsed.simulated(replace(notices, operations=(lies,)), copy))
    assert found
    assert found[0].startswith("GetCareStayNotice: the simulator does not serve it")


def honest(_population: Population, _past: Past) -> Model:
    """The register of invalid documents, which knows no way to send a code that is in no list."""
    namespace = wsdl.contract("iemic").namespace
    types = shared_types(namespace)

    class Iemic(ServiceBase):
        @rpc(
            types.context,
            types.code,
            Unicode,
            Unicode,
            _in_arg_names={"_context": "Konteksts", "kind": "Veids", "number": "Numurs", "country": "Valsts"},
            _returns=(types.code, Unicode, Unicode, Date, types.code),
            _out_variable_names=("Veids", "Numurs", "Valsts", "ParbaudesDatums", "Statuss"),
        )
        def CheckDocument(_call: Call, _context: Model, kind: Model, number: str, country: str) -> Model:
            return kind, number, country, date(2026, 3, 2), types.code(Kods="VALID", Nosaukums="Derīgs")

    return application(Iemic, "Iemic", namespace)


def test_a_simulator_that_cannot_lie_is_found(copy: House) -> None:
    (found,) = rehearsed.simulated(FOUND["iemic"], copy, Simulator(honest))
    assert found == "CheckDocument: in mode unknown_code the answer is taken as an answer, not unknown_code"


def test_a_simulator_of_another_version_or_none() -> None:
    (found,) = rehearsed.simulated(replace(FOUND["sais"], version="v1-0"), HERE)
    assert found == "simulators/sais.py serves v1-1, the adapter calls v1-0"
    assert "nobody" not in discover()
    assert list(rehearsed.simulated(replace(FOUND["sais"], name="nobody"), HERE)) == [
        "simulators/nobody.py is missing"
    ]


def keeping_status_in(column: str) -> Adapter:
    """The sixth adapter with the column of its status changed."""
    (operation,) = FOUND["iemic"].operations
    status = operation.answer.fields[4]
    assert isinstance(status, Field)
    return changed(FOUND["iemic"], answer=table(operation.answer, {4: replace(status, column=column)}))


def test_lineage() -> None:
    (found,) = keeping.lineage(keeping_status_in(""), HERE)
    assert found == "CheckDocument: status is kept in no register"
    assert list(contracts.lawful(keeping_status_in(""), HERE)) == []


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("iemic_document.shoes", "which there is not"),
        ("iemic_shoes.status", "which there is not"),
        ("iemic_document.number", "under another rule than p8.11.6"),
    ],
)
def test_a_column_is_there_and_under_the_same_rule(column: str, said: str) -> None:
    (found,) = contracts.lawful(keeping_status_in(column), HERE)
    assert said in found
    assert list(keeping.lineage(keeping_status_in(column), HERE)) == []


def test_own_schema(copy: House) -> None:
    assert list(keeping.own_schema(FOUND["iemic"], copy)) == []
    shutil.rmtree(copy.root / "registers/migrations/iemic")
    assert list(keeping.own_schema(FOUND["iemic"], copy)) == ["registers/migrations/iemic holds no migration"]
    elsewhere = keeping_status_in("vzd_address.status")
    assert "vzd_address is not in the schema iemic" in list(keeping.own_schema(elsewhere, copy))
    (operation,) = FOUND["iemic"].operations
    nowhere = table(
        operation.answer,
        {
            n: replace(one, column="")
            for n, one in enumerate(operation.answer.fields)
            if isinstance(one, Field)
        },
    )
    (found,) = keeping.own_schema(changed(FOUND["iemic"], answer=nowhere), copy)
    assert found == "its answers are kept in no table; answer exempt: reason"


def test_runbook(copy: House) -> None:
    path = copy.root / "docs/systems/iemic.md"
    page = path.read_text(encoding="utf-8")
    for broken, said in (
        (page.replace("## How it fails", "## How it works"), "says too little under “How it fails”"),
        (page.partition("Down: ")[0], "says too little under “What an operator does”"),
        (page.replace("`CheckDocument`", "CheckDocument"), "does not name `CheckDocument`"),
    ):
        path.write_text(broken, encoding="utf-8")
        assert list(pages.runbook(FOUND["iemic"], copy)) == [f"docs/systems/iemic.md {said}"]
    path.unlink()
    assert list(pages.runbook(FOUND["iemic"], copy)) == ["docs/systems/iemic.md is missing"]
    shutil.rmtree(copy.root / "docs")
    assert list(pages.runbook(FOUND["iemic"], copy)) == [], "they are not installed"


@pytest.mark.parametrize("path", ["mappings/iemic.py", "config/access.d/iemic.toml", "docs/systems/iemic.md"])
def test_finished(copy: House, path: str) -> None:
    with (copy.root / path).open("a", encoding="utf-8") as file:
        file.write("# TODO\n")
    assert list(pages.finished(FOUND["iemic"], copy)) == [f"{path}: 1 × TODO"]


def test_changes_followed() -> None:
    assert list(calls.changes_followed(FOUND["npais"], HERE)) == []
    still = replace(
        FOUND["npais"], operations=tuple(replace(one, sync=None) for one in FOUND["npais"].operations)
    )
    assert list(calls.changes_followed(still, HERE)) == [
        "no operation has a sync, and no edition is looked for"
    ]

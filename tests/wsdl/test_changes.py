"""What changed between two contracts: each kind once, and what holds for any two.

`widens` and `narrows` are held against messages: without `narrows` every old message keeps to the new schema, with it
one can be found that does not.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from lxml import etree

from tests.wsdl.schemas import KLUDA, NAMESPACE, changed, messages, numbered, parts, schema, write, wsdl
from wsdl.changes import Change, Kind, Side, changes, inverse
from wsdl.description import Description, Node, Simple, describe

TEXT = Simple("", "string")
SHORT = Simple("", "string", facets=(("maxLength", "5"),))
WORDS = Simple("", "string", words=("EKS", "DEL"))
AMOUNT = Simple(
    "", "decimal", facets=(("fractionDigits", "2"), ("maxInclusive", "100"), ("minInclusive", "0"))
)
BASE = (
    Node("Vards", simple=TEXT),
    Node("Kods", simple=SHORT),
    Node("Statuss", simple=WORDS),
    Node("Summa", 0, 1, simple=AMOUNT),
    Node("Adrese", 0, None, parts=(Node("Iela", simple=TEXT), Node("Numurs", 0, 1, simple=TEXT))),
)
quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def answering(answered: tuple[Node, ...]) -> Description:
    """A contract whose answer has these children."""
    with tempfile.TemporaryDirectory() as folder:
        return describe(write(Path(folder), schema(Node("Ask"), Node("AskResponse", parts=answered), KLUDA)))


def compiled(answered: tuple[Node, ...]) -> etree.XMLSchema:
    return etree.XMLSchema(etree.fromstring(schema(Node("AskResponse", parts=answered)).encode()))


def without(name: str) -> tuple[Node, ...]:
    return tuple(one for one in BASE if one.name != name)


def put(at: int, node: Node) -> tuple[Node, ...]:
    return (*BASE[:at], node, *BASE[at:])


def other(name: str, /, **values: Any) -> tuple[Node, ...]:
    return tuple(replace(one, **values) if one.name == name else one for one in BASE)


def kind_of(name: str, **values: Any) -> tuple[Node, ...]:
    (simple,) = (one.simple for one in BASE if one.name == name)
    assert simple is not None
    return other(name, simple=replace(simple, **values))


def choice(mark: str) -> tuple[Node, ...]:
    return numbered([replace(one, choice=mark) if one.name in ("Vards", "Kods") else one for one in BASE])


# new children, kind, path below /AskResponse, before, after, widens, narrows
TABLE: dict[str, tuple[tuple[Node, ...], Kind, str, str, str, bool, bool]] = {
    "optional element added": (
        put(5, Node("Piezime", 0, 1, simple=TEXT)), Kind.ELEMENT_ADDED, "/Piezime", "", "0..1", True, False,
    ),
    "mandatory element added": (
        put(1, Node("Piezime", simple=TEXT)), Kind.ELEMENT_ADDED, "/Piezime", "", "1..1", True, True,
    ),
    "optional element removed": (without("Summa"), Kind.ELEMENT_REMOVED, "/Summa", "0..1", "", False, True),
    "mandatory element removed": (without("Kods"), Kind.ELEMENT_REMOVED, "/Kods", "1..1", "", True, True),
    "element renamed": (other("Kods", name="Code"), Kind.ELEMENT_RENAMED, "/Kods", "Kods", "Code", True, True),
    "made mandatory": (other("Summa", least=1), Kind.OCCURS, "/Summa", "0..1", "1..1", False, True),
    "made optional": (other("Kods", least=0), Kind.OCCURS, "/Kods", "1..1", "0..1", True, False),
    "may be repeated": (other("Kods", most=None), Kind.OCCURS, "/Kods", "1..1", "1..n", True, False),
    "no longer repeated": (other("Adrese", most=1), Kind.OCCURS, "/Adrese", "0..n", "0..1", False, True),
    "other number": (other("Adrese", least=2, most=3), Kind.OCCURS, "/Adrese", "0..n", "2..3", False, True),
    "order": (tuple(reversed(BASE)), Kind.ORDER, "", "Vards Kods Statuss Summa Adrese",
              "Adrese Summa Statuss Kods Vards", True, True),
    "nillable": (other("Kods", nillable=True), Kind.NILLABLE, "/Kods", "false", "true", True, False),
    "shorter": (kind_of("Kods", facets=(("maxLength", "3"),)), Kind.FACET, "/Kods",
                "maxLength=5", "maxLength=3", False, True),
    "longer": (kind_of("Kods", facets=(("maxLength", "9"),)), Kind.FACET, "/Kods",
               "maxLength=5", "maxLength=9", True, False),
    "without limit": (kind_of("Kods", facets=()), Kind.FACET, "/Kods", "maxLength=5", "", True, False),
    "with a limit": (kind_of("Vards", facets=(("minLength", "2"),)), Kind.FACET, "/Vards",
                     "", "minLength=2", False, True),
    "a word more": (kind_of("Statuss", words=("EKS", "DEL", "ERR")), Kind.WORDS, "/Statuss",
                    "EKS DEL", "EKS DEL ERR", True, False),
    "a word less": (kind_of("Statuss", words=("EKS",)), Kind.WORDS, "/Statuss", "EKS DEL", "EKS", False, True),
    "another word": (kind_of("Statuss", words=("EKS", "ERR")), Kind.WORDS, "/Statuss",
                     "EKS DEL", "EKS ERR", True, True),
    "any word": (kind_of("Statuss", words=()), Kind.WORDS, "/Statuss", "EKS DEL", "", True, False),
    "a pattern": (kind_of("Vards", patterns=("[A-Z]+",)), Kind.PATTERN, "/Vards", "", "[A-Z]+", False, True),
    "another type": (other("Vards", simple=Simple("", "date")), Kind.TYPE, "/Vards", "string", "date", False, True),
    "a wider type": (kind_of("Summa", base="string", facets=()), Kind.TYPE, "/Summa",
                     "decimal", "string", True, False),
    "elements for a text": (other("Vards", simple=None, parts=(Node("Pirmais", simple=TEXT),)), Kind.TYPE,
                            "/Vards", "string", "elements", True, True),
    "below": (other("Adrese", parts=BASE[4].parts[:1]), Kind.ELEMENT_REMOVED, "/Adrese/Numurs",
              "0..1", "", False, True),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_each_kind_of_change(name: str) -> None:
    new, kind, path, before, after, widens, narrows = TABLE[name]
    found = changes(answering(BASE), answering(new))
    wanted = Change(kind, "Ask", Side.ANSWER, f"/AskResponse{path}", before, after, widens, narrows)
    if name == "a wider type":  # its limits go with it
        assert {one.kind for one in found[1:]} == {Kind.FACET}
        found = found[:1]
    assert found == (wanted,)


@pytest.mark.parametrize("name", TABLE)
def test_wider_and_narrower_are_so_for_messages(name: str) -> None:
    new = TABLE[name][0]
    widens, narrows = TABLE[name][5:]
    for before, after, differs in ((BASE, new, narrows), (new, BASE, widens)):
        one, two = compiled(before), compiled(after)

        def stranger(message: Any, one: Any = one, two: Any = two) -> bool:
            assert one.validate(message), one.error_log
            return not two.validate(message)

        try:
            find(messages(Node("AskResponse", parts=before)), stranger, settings=settings(max_examples=300))
        except NoSuchExample:
            assert not differs
        else:
            assert differs


@pytest.mark.parametrize(
    ("before", "after", "widens", "narrows"),
    [("", "1", True, True), ("1", "", True, True), ("1", "1?", True, False), ("1?", "1", False, True)],
)
def test_alternatives(before: str, after: str, widens: bool, narrows: bool) -> None:
    found = [one for one in changes(answering(choice(before)), answering(choice(after)))
             if one.kind is Kind.CHOICE]  # fmt: skip
    assert [one.path for one in found] == ["/AskResponse/Vards", "/AskResponse/Kods"]
    assert {(one.widens, one.narrows) for one in found} == {(widens, narrows)}
    assert all("Kods|Vards" in (one.before.rstrip("?"), one.after.rstrip("?")) for one in found)


def operations(*names: str, namespace: str = NAMESPACE, actions: str = "") -> Description:
    roots = [Node(f"{name}{what}") for name in names for what in ("", "Response")]
    described = wsdl(names, namespace=namespace).replace(f"{namespace}/Ask", actions or f"{namespace}/Ask")
    with tempfile.TemporaryDirectory() as folder:
        return describe(write(Path(folder), schema(*roots, KLUDA, namespace=namespace), described))


def test_operations_come_and_go() -> None:
    one, both = operations("Ask"), operations("Ask", "Tell")
    (come,) = changes(one, both)
    (gone,) = changes(both, one)
    assert (come.kind, come.after, come.harms_requests, come.harms_answers) == (
        Kind.OPERATION_ADDED, "Tell", False, False,
    )  # fmt: skip
    assert (gone.kind, gone.before, gone.harms_requests) == (Kind.OPERATION_REMOVED, "Tell", True)
    assert (inverse(come), inverse(gone)) == (gone, come)


def test_an_operation_has_another_action() -> None:
    (found,) = changes(operations("Ask"), operations("Ask", actions="urn:other"))
    assert (found.kind, found.before, found.after) == (Kind.ACTION, f"{NAMESPACE}/Ask", "urn:other")
    assert found.harms_requests


@pytest.mark.parametrize(("last", "harms"), [("v1-1", False), ("v2-0", False), ("other", True)])
def test_a_namespace_is_another_version_or_another_contract(last: str, harms: bool) -> None:
    (found,) = changes(operations("Ask"), operations("Ask", namespace=NAMESPACE.replace("v1-0", last)))
    assert found.kind is Kind.NAMESPACE
    assert found.harms_requests is found.harms_answers is harms


def test_faults_come_and_go_without_harm() -> None:
    old = operations("Ask")
    exchange = replace(old.operations["Ask"], faults=())
    new = replace(old, operations={"Ask": exchange})
    (gone,) = changes(old, new)
    assert (gone.kind, gone.path, gone.harms_answers, gone.harms_requests) == (
        Kind.FAULT_REMOVED, "/Kluda", False, False,
    )  # fmt: skip
    assert changes(new, old) == (inverse(gone),)


def test_another_element_in_the_same_place_is_no_new_name() -> None:
    found = changes(answering(BASE), answering(other("Kods", name="Dzimis", simple=Simple("", "date"))))
    assert [(one.kind, one.path) for one in found] == [
        (Kind.ELEMENT_REMOVED, "/AskResponse/Kods"),
        (Kind.ELEMENT_ADDED, "/AskResponse/Dzimis"),
    ]


@given(parts())
@quick
def test_a_contract_has_not_changed_against_itself(answered: tuple[Node, ...]) -> None:
    assert changes(answering(answered), answering(answered)) == ()


@st.composite
def pairs(draw: Any) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    old: tuple[Node, ...] = draw(parts())
    new = old
    for _ in range(draw(st.integers(1, 3))):
        new = draw(changed(new))
    return old, new


@given(pairs())
@quick
def test_the_way_back_is_the_inverse(pair: tuple[tuple[Node, ...], tuple[Node, ...]]) -> None:
    old, new = (answering(one) for one in pair)
    there, back = changes(old, new), changes(new, old)
    assert {inverse(one) for one in there} == set(back)
    assert {inverse(inverse(one)) for one in there} == set(there)
    assert (there == ()) == (pair[0] == pair[1])


@given(pairs(), st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_not_narrower_takes_every_old_message(
    pair: tuple[tuple[Node, ...], tuple[Node, ...]], data: st.DataObject
) -> None:
    old, new = pair
    found = changes(answering(old), answering(new))
    for before, after, narrows in (
        (old, new, any(one.narrows for one in found)),
        (new, old, any(one.widens for one in found)),
    ):
        message = data.draw(messages(Node("AskResponse", parts=before)))
        own = compiled(before)
        assert own.validate(message), own.error_log
        assert narrows or compiled(after).validate(message), found

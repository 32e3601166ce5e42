"""Access: default deny, rules that cover their sub-points only, sources that decide, files that must be right."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import config
from adapters import Selection
from errors import AccessDenied, ConfigurationError, PurposeNotAllowed
from exchange import Context, Environment, Grant, Official
from routing.access import EVERYONE, Access, Right, narrow, open_operations

RIGHT = Right(
    recipient="spolis-core",
    operations=("pmlp.GetPerson",),
    purposes=("social-service",),
    rules=("p8.1", "p8.13"),
    sources=("pmlp",),
    requests_day=10,
    persons_day=5,
)


def context(purpose: str = "social-service", rule: str = "p8.1") -> Context:
    official = Official("PK:300000-00001", "90000022632", "social worker")
    return Context(purpose, rule, official, "L-1", uuid.uuid4(), Environment.TEST)


def test_a_granted_request_gets_its_rules_and_quota() -> None:
    decision = Access((RIGHT,)).decide("spolis-core", "pmlp.GetPerson", context())
    assert decision.grant.permits("p8.1", "pmlp")
    assert (decision.quota.requests_day, decision.quota.persons_day) == (10, 5)


@pytest.mark.parametrize(
    ("recipient", "operation", "asked", "error"),
    [
        ("labis", "pmlp.GetPerson", context(), AccessDenied),
        ("spolis-core", "pmlp.GetChanges", context(), AccessDenied),
        ("spolis-core", "pmlp.GetPerson", context(purpose="curiosity"), PurposeNotAllowed),
        ("spolis-core", "pmlp.GetPerson", context(rule="p9.1"), PurposeNotAllowed),
    ],
)
def test_what_is_not_granted_is_denied(
    recipient: str, operation: str, asked: Context, error: type[AccessDenied]
) -> None:
    with pytest.raises(error):
        Access((RIGHT,)).decide(recipient, operation, asked)


def test_what_everyone_has_adds_to_what_one_has_and_opens_nothing_else() -> None:
    everyone = dataclasses.replace(RIGHT, recipient=EVERYONE, operations=("ping.Ping",), rules=("p20",))
    access = Access((RIGHT, everyone))
    for recipient in ("spolis-core", "labis"):
        assert access.decide(recipient, "ping.Ping", context(rule="p20")).rights == (everyone,)
    with pytest.raises(AccessDenied):
        access.decide("labis", "pmlp.GetPerson", context())
    with pytest.raises(PurposeNotAllowed):
        access.decide("labis", "ping.Ping", context(rule="p8.1"))
    assert access.rights_of("labis") == (everyone,)


def test_only_operations_without_a_field_of_law_may_be_granted_to_everyone() -> None:
    assert open_operations() == {"ping.Ping"}


def test_no_rights_at_all_deny_everything() -> None:
    with pytest.raises(AccessDenied):
        Access(()).decide("spolis-core", "pmlp.GetPerson", context())


@pytest.mark.parametrize(
    ("rule", "source", "permitted"),
    [
        ("p8.1", "pmlp", True),
        ("p8.1.2", "pmlp", True),
        ("p8.13.2", "pmlp", True),
        ("p8.11", "pmlp", False),
        ("p8.11.6", "pmlp", False),
        ("p8", "pmlp", False),
        ("p8.1^1", "pmlp", False),
        ("p8.1", "vdeavk", False),
    ],
)
def test_a_rule_covers_its_sub_points_of_its_own_source(rule: str, source: str, permitted: bool) -> None:
    assert Grant(frozenset(RIGHT.pairs())).permits(rule, source) is permitted


@given(
    st.sets(st.sampled_from(["p8.1", "p8.2", "p8.13", "p10.11", "p12"])),
    st.sampled_from(["p8.1", "p8.2", "p8.13.4", "p10.11.1", "p12.8.3", "p9"]),
)
def test_more_rules_never_permit_less(rules: set[str], rule: str) -> None:
    small = Grant(frozenset((own, "pmlp") for own in rules))
    large = Grant(small.rules | {("p8.2", "pmlp")})
    assert large.permits(rule, "pmlp") or not small.permits(rule, "pmlp")


SELECTION = Selection("data_sets", {"NAME": ("p8.1",), "FAMILY": ("p9.2.5.1",)})
GRANT = Grant(frozenset(RIGHT.pairs()))


def test_a_selection_left_out_becomes_what_is_granted() -> None:
    assert narrow(SELECTION, {}, GRANT, "pmlp") == {"data_sets": ("NAME",)}


def test_asking_for_what_cannot_be_given_is_denied() -> None:
    with pytest.raises(AccessDenied):
        narrow(SELECTION, {"data_sets": ("NAME", "FAMILY")}, GRANT, "pmlp")
    with pytest.raises(AccessDenied):
        narrow(SELECTION, {}, GRANT, "vdeavk")


def test_an_unknown_selection_is_left_to_the_request_table() -> None:
    assert narrow(SELECTION, {"data_sets": ("OTHER",)}, GRANT, "pmlp") == {"data_sets": ("OTHER",)}


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        "[[grants]]\nrecipient = 'x'",
        "[[grant]]\nrecipient = 'x'",
        "[[grant]]\nrecipient = ''\noperations = ['a']\npurposes = ['a']\nrules = ['p1']\nsources = ['a']\n"
        "requests_day = 1\npersons_day = 1",
        "[[grant]]\nrecipient = 'x'\noperations = 'a'\npurposes = ['a']\nrules = ['p1']\nsources = ['a']\n"
        "requests_day = 1\npersons_day = 1",
        "[[grant]]\nrecipient = 'x'\noperations = ['a']\npurposes = ['a']\nrules = ['p1']\nsources = ['a']\n"
        "requests_day = true\npersons_day = 1",
        "[[grant]]\nrecipient = 'x'\noperations = ['a']\npurposes = ['a']\nrules = ['p1']\nsources = ['a']\n"
        "requests_day = 1\npersons_day = 1\nextra = 1",
    ],
)
def test_a_wrong_file_stops_start_up_and_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "wrong.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"wrong\.toml"):
        Access.load(tmp_path)


NAMELESS = """[[grant]]
recipient = "labis"
basis = "p18.6"
identifying = {identifying}
operations = ["{operation}"]
purposes = ["statistics"]
rules = ["{rule}"]
sources = ["spolis"]
requests_day = 1
persons_day = 1
"""


def nameless(folder: Path, rule: str, operation: str = "registers.SearchServices", more: str = "") -> Access:
    text = NAMELESS.format(identifying="false", rule=rule, operation=operation)
    (folder / "labis.toml").write_text(text + more, encoding="utf-8")
    return Access.load(folder)


@pytest.mark.parametrize("rule", ["p8.3", "p8", "p8.11.2", "p9.2", "p12", "p12.2.1", "p12.8.4.2", "p13"])
def test_who_may_not_know_a_person_is_granted_no_rule_that_names_one(tmp_path: Path, rule: str) -> None:
    with pytest.raises(ConfigurationError, match="identifies a person"):
        nameless(tmp_path, rule)


@pytest.mark.parametrize(
    "operation", ["registers.ReadServices", "registers.ListServices", "persons.GetPerson", "pmlp.GetPerson"]
)
def test_who_may_not_know_a_person_is_granted_no_answer_without_pseudonyms(
    tmp_path: Path, operation: str
) -> None:
    with pytest.raises(ConfigurationError, match="under pseudonyms"):
        nameless(tmp_path, "p10.8", operation)


def test_one_recipient_has_not_both_kinds_of_rights(tmp_path: Path) -> None:
    named = NAMELESS.format(identifying="true", rule="p10.8", operation="registers.SearchServices")
    with pytest.raises(ConfigurationError, match="with and without"):
        nameless(tmp_path, "p10.8", more=named)


def test_a_grant_says_for_whom_pseudonyms_are(tmp_path: Path) -> None:
    asked = context("statistics", "p10.8")
    decision = nameless(tmp_path, "p10.8").decide("labis", "registers.SearchServices", asked)
    assert decision.grant.pseudonyms_of == "labis"
    plain = Access((RIGHT,)).decide("spolis-core", "pmlp.GetPerson", context())
    assert plain.grant.pseudonyms_of is None


TASK = """[[grant]]
recipient = "association"
basis = "p18.4"
operations = ["persons.GetDisability"]
purposes = ["technical-aids"]
rules = ["p18.4", "p8.13.6"]
sources = ["vdeavk"]
requests_day = 1
persons_day = 1
"""
SIGNED = """task = "technical aids"
contract = "No. 17 of 2 January 2026"
until = 2026-12-31
"""


def delegated(folder: Path, more: str, day: date = date(2026, 6, 1)) -> Access:
    (folder / "delegated.toml").write_text(TASK + more, encoding="utf-8")
    return Access(Access.load(folder).rights, today=lambda: day)


@pytest.mark.parametrize("line", SIGNED.splitlines())
def test_a_delegated_task_names_task_contract_and_last_day(tmp_path: Path, line: str) -> None:
    name = line.partition(" ")[0]
    with pytest.raises(ConfigurationError, match=rf"delegated\.toml: grant 1: .*names {name}"):
        delegated(tmp_path, SIGNED.replace(f"{line}\n", ""))


@pytest.mark.parametrize(
    "line",
    [
        'task = "  "',
        'contract = ""',
        'until = "2026-12-31"',
        "until = 2026-12-31T00:00:00Z",
        "since = 2027-01-01",
        "draft = 1",
    ],
)
def test_what_is_said_of_a_task_is_really_said(tmp_path: Path, line: str) -> None:
    name = line.partition(" ")[0]
    others = "".join(f"{one}\n" for one in SIGNED.splitlines() if not one.startswith(name))
    with pytest.raises(ConfigurationError, match=name):
        delegated(tmp_path, others + line)


@pytest.mark.parametrize(
    ("day", "open_"),
    [("2026-01-01", False), ("2026-01-02", True), ("2026-12-31", True), ("2027-01-01", False)],
)
def test_a_grant_holds_on_its_first_and_last_day_and_on_no_other(
    tmp_path: Path, day: str, open_: bool
) -> None:
    access = delegated(tmp_path, f"{SIGNED}since = 2026-01-02\n", date.fromisoformat(day))
    assert bool(access.rights_of("association")) == bool(access.in_force()) == open_
    asked = context("technical-aids", "p8.13.6")
    if open_:
        assert access.decide("association", "persons.GetDisability", asked)
    else:
        with pytest.raises(AccessDenied):
            access.decide("association", "persons.GetDisability", asked)


def test_access_ends_with_the_day_while_the_gateway_runs(tmp_path: Path) -> None:
    days = iter([date(2026, 12, 31), date(2027, 1, 1)])
    access = Access(delegated(tmp_path, SIGNED).rights, today=lambda: next(days))
    asked = context("technical-aids", "p8.13.6")
    assert access.decide("association", "persons.GetDisability", asked)
    with pytest.raises(AccessDenied):
        access.decide("association", "persons.GetDisability", asked)


def test_a_draft_gives_nothing_and_is_opened_only_by_a_contract(tmp_path: Path) -> None:
    draft = 'task = "technical aids"\ndraft = true\n'
    asked = context("technical-aids", "p8.13.6")
    for more in (draft, f"{SIGNED}draft = true\n"):
        access = delegated(tmp_path, more)
        assert [right.recipient for right in access.rights] == ["association"]
        with pytest.raises(AccessDenied):
            access.decide("association", "persons.GetDisability", asked)
    for more in ("draft = true\n", 'task = "technical aids"\ndraft = false\n', 'task = "technical aids"\n'):
        with pytest.raises(ConfigurationError, match="delegated task"):
            delegated(tmp_path, more)


def test_what_is_shipped_for_delegated_tasks_is_closed() -> None:
    access = Access.load(config.DEFAULTS / "access.d")
    tasks = [right for right in access.rights if right.basis == "p18.4"]
    assert {right.recipient for right in tasks} == {"association-of-the-blind", "association-of-the-deaf"}
    for right in tasks:
        asked = context(right.purposes[0], right.rules[-1])
        assert right not in access.rights_of(right.recipient)
        with pytest.raises(AccessDenied):
            access.decide(right.recipient, right.operations[0], asked)


def test_the_shipped_rights_load() -> None:
    rights = Access.load(config.DEFAULTS / "access.d").rights
    assert {right.recipient for right in rights} >= {"spolis-core", "riga-social-service"}
    assert all(dataclasses.asdict(right) for right in rights)

"""The lineage and access tables in every form, and the verdicts of `access check`, the same as the gateway's own."""

from __future__ import annotations

import csv
import io
import json
import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

import adapters
import config
from commands.rendering import Form, table, text
from errors import AccessDenied
from exchange import Context, Environment, Official
from mappings.regulation import rules
from questions.lineage import HEADS, lineage_rows
from questions.rights import matching
from routing.access import Access
from tests.commands.conftest import Home

CELLS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\u2028\u2029")
)


def in_a_sheet(cell: str) -> str:
    """What would be a formula is a text there."""
    return f"'{cell}" if len(cell) > 1 and cell[0] in "=+-@＝＋－＠" else cell


@example([("=1+1", "-")])
@given(st.lists(st.tuples(CELLS, CELLS), max_size=4))
def test_every_form_holds_every_cell(rows: list[tuple[str, str]]) -> None:
    heads = ("one", "two")
    assert list(csv.reader(io.StringIO(table("T", heads, rows, Form.CSV)))) == [
        ["one", "two"],
        *([in_a_sheet(cell) for cell in row] for row in rows),
    ]
    assert json.loads(table("T", heads, rows, Form.JSON)) == [
        dict(zip(heads, row, strict=True)) for row in rows
    ]
    page = etree.fromstring(table("<T>", heads, rows, Form.HTML).encode(), etree.HTMLParser(encoding="utf-8"))
    assert page.findtext(".//h1") == "<T>"
    assert ["".join(cell.itertext()) for cell in page.iter("td")] == [cell for row in rows for cell in row]


def test_text_columns_are_aligned() -> None:
    assert text(("a", "bb"), [("longer", "x"), ("y", "z")]) == "a       bb\nlonger  x\ny       z\n"


@pytest.mark.parametrize("adapter", adapters.discover().values(), ids=lambda adapter: str(adapter.name))
def test_the_lineage_of_every_field_ends_at_a_rule_and_at_recipients(
    home: Home, adapter: adapters.Adapter
) -> None:
    rows = list(lineage_rows(adapter, Access.load(home.settings.access).rights))
    fields = [line for one in adapter.operations for line in one.answer.lineage(adapter.name)]
    assert len(rows) == len(fields) > 0
    for row in rows:
        found = dict(zip(HEADS, row, strict=True))
        assert found["rule"] in rules(), found
        assert found["source element"].startswith(f"/{found['operation']}Response"), found
    assert any("spolis-core" in row[-1] for row in rows)


def test_the_lineage_names_register_columns(home: Home) -> None:
    rows = home.json("mappings", "table", "--system", "vdeavk")
    group = next(row for row in rows if row["canonical_field"] == "disability.group")
    assert group["rule"] == "p8.13.2"
    assert group["register_column"] == "vdeavk_disability.group"
    assert group["recipients"] == (
        "private-person, riga-social-service, spolis-core, spolis-registers, talsi-social-service"
    )
    cause = next(row for row in rows if row["canonical_field"] == "disability.cause")
    assert cause["recipients"] == "private-person, spolis-core, spolis-registers"


def test_recipients_are_all_who_can_have_a_field_by_any_way(home: Home) -> None:
    rows = home.json("mappings", "table")
    told = {(row["operation"], row["canonical_field"]): row["recipients"] for row in rows}
    municipalities = "riga-social-service, spolis-core, talsi-social-service"
    own = f"private-person, {municipalities}"
    assert told["GetPerson", "family_name"] == own, "a partner's service gives it"
    assert told["GetPerson", "birth_date"] == "private-person, spolis-core", (
        "the partner's service does not ask for it"
    )
    assert told["GetPerson", "data_sets"] == municipalities, "no right is asked for it"
    nameless = (
        "labis, ministry, private-person, researcher, riga-social-service, spolis-core, talsi-social-service"
    )
    stays = f"iem-ic, {nameless.replace('private-person', 'nvd, private-person')}, vsaa"
    assert told["WriteCareStays", "entered_on"] == stays
    assert told["WriteServices", "municipality"] == nameless
    assert (
        told["WriteServices", "case_number"]
        == "ministry, private-person, riga-social-service, spolis-core, talsi-social-service"
    )
    # Only the outbox asks whether a notice took effect; point 18 gives the document of a placement to nobody by name.
    notices = {
        (operation, field)
        for operation in ("NotifyCareStay", "GetCareStayNotice")
        for field in ("message_id", "took_effect")
    }
    document = {("GetPlacements", f"placements[].{field}") for field in ("issued_on", "number", "planned_on")}
    assert {name for name, who in told.items() if who == "nobody"} <= notices | document


def test_what_a_service_hands_in_or_reads_has_its_lineage(home: Home) -> None:
    rows = home.json("mappings", "table", "--system", "care-stays")
    assert {row["system"] for row in rows} == {"care-stays"}
    told = {(row["operation"], row["canonical_field"]): row for row in rows}
    party = told["SubmitContract", "party.family_name"]
    assert (party["rule"], party["register_column"]) == ("p12.8.4.3.1", "siva_contract.party_family_name")
    assert party["source_element"] == "/SubmitContract/Ligums/Sledzejs/Uzvards"
    assert party["recipients"] == "spolis-core"
    assert (
        told["SubmitStay", "stay.ended_on"]["recipients"]
        == "iem-ic, ministry, nvd, private-person, riga-social-service, spolis-core, vsaa"
    )
    assert told["SubmitPlacement", "entered_on"]["recipients"] == (
        "csp, labis, ministry, private-person, researcher, spolis-core, vsaa"
    )
    assert told["SubmitStay", "stay.person_code"]["recipients"] == "private-person, spolis-core"
    ended = told["GetStays", "stays[].ended_on"]
    assert (ended["rule"], ended["register_column"]) == ("p12.8.14", "spolis_care_stay.ended_on")
    assert ended["recipients"] == "iem-ic, vsaa"


def test_every_sub_point_of_12_is_handed_in_or_comes_from_sais(home: Home) -> None:
    rows = home.json("mappings", "table")
    heads = {rule.rpartition(".")[0] for rule in rules()}
    points = {rule for rule in rules() if rule.startswith("p12.") and rule not in heads}
    handed_in = {row["rule"] for row in rows if row["operation"].startswith("Submit")}
    asked = {row["rule"] for row in rows if row["operation"] == "GetPayments"}
    assert points - handed_in == {"p12.8.3"} <= asked


@pytest.mark.parametrize("point", ["p6", "p11^2", "p13^1", "p13^2", "p13^3", "p14", "p15", "p15^1"])
def test_every_sub_point_of_the_ministry_and_providers_is_handed_in_and_read(home: Home, point: str) -> None:
    rows = home.json("mappings", "table", "--system", "providers")
    heads = {rule.rpartition(".")[0] for rule in rules()}
    points = {
        rule for rule in rules() if (rule == point or rule.startswith(f"{point}.")) and rule not in heads
    }
    handed_in = {row["rule"]: row for row in rows if row["operation"].startswith("Submit")}
    assert points
    assert points <= handed_in.keys()
    for rule in points:
        assert "ministry" in handed_in[rule]["recipients"]
        assert "spolis-core" in handed_in[rule]["recipients"]


def test_care_stays_have_their_lineage_too(home: Home) -> None:
    rows = home.json("mappings", "table", "--system", "registers")
    assert {row["register_column"].partition(".")[0] for row in rows} == {
        "spolis_person_code",
        "spolis_care_stay",
        "municipal_service",
        "enterprises_social_enterprise",
        "childcare_report",
        "municipal_placement",
    }


def test_an_unknown_system_is_refused(home: Home) -> None:
    result = home.run("mappings", "table", "--system", "pmpl")
    assert result.exit_code == 2
    assert "pmlp" in result.stderr


@pytest.mark.parametrize("form", ["csv", "html", "json", "markdown", "text"])
def test_the_access_table_names_every_right(home: Home, form: str) -> None:
    output = home.run("access", "table", "--format", form).output
    for right in Access.load(home.settings.access).rights:
        assert right.recipient in output
        assert all(operation in output for operation in right.operations)
    assert "invaliditāti" in output


def test_access_check_explains_with_the_rules_text(home: Home) -> None:
    result = home.run(
        "access",
        "check",
        "spolis-core",
        "vdeavk.GetDisability",
        "--purpose",
        "social-service",
        "--rule",
        "p8.13.2",
    )
    assert result.exit_code == 0
    assert "invaliditātes grupa" in result.output
    told = home.json("access", "check", "riga-social-service", "persons.GetPerson")
    assert told["allowed"] is True
    assert "birth_date" in told["withheld"]
    assert "family_name" not in told["withheld"]


def test_access_check_knows_what_everyone_may_ask(home: Home) -> None:
    told = home.json("access", "check", "anybody", "ping.Ping", "--purpose", "connection-check")
    assert (told["allowed"], told["withheld"]) == (True, [])
    assert "anybody may ask for ping.Ping" in home.run("access", "check", "anybody", "ping.Ping").output
    assert home.run("access", "check", "anybody", "ping.Pong").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("labis", "pmlp.GetPerson"), "access_denied"),
        (("spolis-core", "pmlp.GetPerson", "--purpose", "marketing"), "purpose_not_allowed"),
        (("spolis-core", "pmlp.GetPerson", "--rule", "p13"), "purpose_not_allowed"),
        (("riga-social-service", "pmlp.GetPerson"), "access_denied"),
    ],
)
def test_access_check_denies_as_the_gateway_does(home: Home, arguments: tuple[str, ...], code: str) -> None:
    result = home.run("access", "check", *arguments, "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout) == {
        "allowed": False,
        "code": code,
        "rights": [],
        "given": [],
        "withheld": [],
    }
    assert json.loads(result.stderr)["code"] == code


def test_access_check_knows_services_registers_and_pseudonyms(home: Home) -> None:
    told = home.json("access", "check", "labis", "registers.SearchServices")
    assert "municipality" in told["given"]
    assert {"case_number", "provider", "refusal_reason"} <= set(told["withheld"])
    assert [(right["basis"], right["identifying"]) for right in told["rights"]] == [("p18.6", False)]
    taken = home.json("access", "check", "npais", "decisions.DeliverPlacement")
    assert "stop_reason" in taken["given"]
    assert taken["withheld"] == []
    listed = home.json("access", "check", "ministry", "registers.ListServices")
    assert "state[].entered_on" in listed["given"]
    text = home.run("access", "check", "vid", "social-enterprises.ListSocialEnterprises").output
    assert "p18.8 Tiesības bez maksas saņemt ziņas" in text
    assert "given:    registration_number, name, status" in text


def test_the_page_for_lawyers_is_current(home: Home) -> None:
    page = config.CHECKOUT / "docs" / "access-matrix.md"
    assert page.read_text(encoding="utf-8") == home.run("access", "table", "--format", "markdown").output


def test_an_operation_that_nobody_has_is_unknown(home: Home) -> None:
    for name in ("pmlp.GetPersn", "pmlp", "nobody.GetPerson", ""):
        assert home.run("access", "check", "spolis-core", name).exit_code == 2, name


@given(st.data())
def test_the_verdict_is_the_gateways_own(data: st.DataObject) -> None:
    access = Access.load(config.load({}).access)
    operations = sorted({name for right in access.rights for name in right.operations})
    recipient = data.draw(st.sampled_from(sorted({right.recipient for right in access.rights})))
    operation = data.draw(st.sampled_from(operations))
    purpose = data.draw(
        st.sampled_from(["marketing", *sorted({p for r in access.rights for p in r.purposes})])
    )
    rule = data.draw(st.sampled_from(list(rules())))
    context = Context(purpose, rule, Official("", "", ""), "", uuid.UUID(int=0), Environment.TEST)

    def decided() -> set[object]:
        try:
            return set(access.decide(recipient, operation, context).rights)
        except AccessDenied as error:
            return {error.code, error.detail}

    def explained() -> set[object]:
        try:
            return set(matching(access, recipient, operation, purpose, rule))
        except AccessDenied as error:
            return {error.code, error.detail}

    assert explained() == decided()

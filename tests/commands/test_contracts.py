"""`gateway contracts diff`: whom a change breaks, which fields it is about, who is told by when."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

import config
import wsdl
from commands.contract_impact import Verdict, impacts, services_behind, verdict
from commands.contract_texts import LANGUAGES, WORDS, sentence
from exchange import utc_now
from routing import agreements
from routing.agreements import Terms
from routing.parties import add_partner
from routing.working_days import first_day_after_notice
from security.keys import issue
from storage import migrate, open_engine
from tests.commands.conftest import Home
from wsdl.changes import Change, Kind, Side, changes
from wsdl.description import describe

PMLP = wsdl.ROOT / "pmlp" / "v1-0"
PERSONS = wsdl.ROOT / "spolis" / "persons" / "v1-0"
OPTIONAL = '<xs:element name="Jauns" type="xs:string" minOccurs="0"/>'


def edited(folder: Path, source: Path, before: str, after: str) -> Path:
    """A copy of a contract in which one piece of its schema stands differently."""
    name = source.parent.name
    shutil.copytree(source, folder / name)
    if source.is_relative_to(wsdl.ROOT / "spolis"):  # what our contracts share lies beside them
        shutil.copytree(wsdl.ROOT / "spolis" / "fault", folder / name / "fault")
    for path in (folder / name).glob(f"{name}.*"):
        text = path.read_text(encoding="utf-8").replace("../../fault/", "fault/")
        if path.suffix == ".xsd":
            assert before in text
            text = text.replace(before, after, 1)
        path.write_text(text, encoding="utf-8")
    return folder / name


def judged(home: Home, old: str, new: Path, *more: str) -> tuple[int, dict[str, object]]:
    result = home.run("contracts", "diff", old, str(new), "--json", *more)
    assert result.stdout, result.stderr
    return result.exit_code, json.loads(result.stdout)


def test_nothing_has_changed(home: Home) -> None:
    for place in ("pmlp/v1-0", str(PMLP), str(PMLP / "pmlp.wsdl"), "spolis/persons/v1-0"):
        result = home.run("contracts", "diff", place, place)
        assert (result.exit_code, result.output) == (0, "nothing has changed\n")
    assert (
        "nekas nav mainījies" in home.run("contracts", "diff", "vzd/v1-0", "vzd/v1-0", "--lang", "lv").output
    )


def test_operations_more_are_compatible_and_fewer_break(home: Home) -> None:
    more = home.run("contracts", "diff", "sais/v1-0", "sais/v1-1")
    assert more.exit_code == 10
    assert "fits  operation NotifyCareStay is new; harmless — the mapping table survives" in more.output
    assert "compatible: our own calls can stay as they are" in more.output
    fewer = home.run("contracts", "diff", "sais/v1-1", "sais/v1-0", "--lang", "lv")
    assert fewer.exit_code == 11
    assert "LAUŽ  operācijas NotifyCareStay vairs nav; šaurāk — kartējuma tabula jāmaina" in fewer.output


def test_an_optional_element_in_an_answer_breaks_us_and_names_its_table(home: Home, tmp_path: Path) -> None:
    new = edited(
        tmp_path, PMLP, '<xs:element name="DzimsanasDatums"', f'{OPTIONAL}<xs:element name="DzimsanasDatums"'
    )
    code, said = judged(home, "pmlp/v1-0", new)
    assert (code, said["verdict"], said["for"]) == (11, "breaking", "us")
    changes_ = said["changes"]
    assert isinstance(changes_, list)
    found = [one for one in changes_ if one["operation"] == "GetPerson"]
    assert [(one["kind"], one["path"], one["breaking"], one["survives"]) for one in found] == [
        ("element-added", "/GetPersonResponse/Persona/Jauns", True, False)
    ]
    assert found[0]["fields"] == ["GetPersonResponse: no field for Jauns"]


@pytest.mark.parametrize(
    ("before", "after", "kind", "fields", "breaking", "survives"),
    [
        ('name="DzimsanasDatums" type="tns:DatumsType"', 'name="DzimsanasDatums" type="xs:string"',
         "type", ["GetPersonResponse: birth_date"], True, False),
        ('name="MirsanasDatums"', 'name="NavesDatums"', "element-renamed", ["GetPersonResponse: death_date"],
         True, False),
    ],
)  # fmt: skip
def test_the_mapped_fields_are_named(
    home: Home,
    tmp_path: Path,
    before: str,
    after: str,
    kind: str,
    fields: list[str],
    breaking: bool,
    survives: bool,
) -> None:
    _, said = judged(home, "pmlp/v1-0", edited(tmp_path, PMLP, before, after))
    changes_ = said["changes"]
    assert isinstance(changes_, list)
    (found,) = [one for one in changes_ if one["kind"] == kind and one["operation"] == "GetPerson"]
    assert (found["fields"], found["breaking"], found["survives"]) == (fields, breaking, survives)


def test_a_shorter_text_in_an_answer_breaks_nobody_and_tables_survive(home: Home, tmp_path: Path) -> None:
    new = edited(tmp_path, PMLP, '<xs:maxLength value="250"/>', '<xs:maxLength value="200"/>')
    code, said = judged(home, "pmlp/v1-0", new)
    changes_ = said["changes"]
    assert isinstance(changes_, list)
    assert changes_
    answers = [one for one in changes_ if one["side"] == "answer"]
    assert {(one["breaking"], one["survives"]) for one in answers} == {(False, True)}
    asked = any(one["side"] == "request" for one in changes_)
    assert code == (11 if asked else 10)


def partner(home: Home, name: str, recipient: str, terms: Terms) -> None:
    engine = open_engine(home.settings.database_url)
    migrate.upgrade(engine)
    with engine.begin() as connection:
        certificate = issue(home.settings.keys, name, key_type="p256").certificate
        add_partner(connection, name, recipient, certificate, utc_now())
        agreements.set_terms(connection, name, terms)
    engine.dispose()


def test_partners_of_a_service_of_ours_are_told_by_their_own_terms(home: Home, tmp_path: Path) -> None:
    partner(home, "riga", "riga-social-service", Terms(contact="it@riga.example", notice_days=40))
    partner(home, "vsaa", "vsaa", Terms())
    new = edited(
        tmp_path,
        PERSONS,
        '<xs:element name="DzimsanasDatums"',
        f'{OPTIONAL}<xs:element name="DzimsanasDatums"',
    )
    code, said = judged(home, "spolis/persons/v1-0", new, "--announced-on", "2026-11-30")
    assert (code, said["verdict"], said["for"]) == (10, "compatible", "callers")
    day = date(2026, 11, 30)
    assert said["earliest"] == first_day_after_notice(day, 30).isoformat()
    assert said["partners"] == [
        {
            "service": "persons",
            "name": "riga",
            "contact": "it@riga.example",
            "notice_days": 40,
            "earliest": first_day_after_notice(day, 40).isoformat(),
        }
    ]
    words = home.run("contracts", "diff", "spolis/persons/v1-0", str(new), "--announced-on", "2026-11-30")
    assert (
        f"tell riga (it@riga.example) by way of service persons: earliest {first_day_after_notice(day, 40)}"
        in (words.output)
    )


def test_who_uses_a_service_behind_a_broken_operation_is_told_too(home: Home, tmp_path: Path) -> None:
    partner(home, "riga", "riga-social-service", Terms())
    new = edited(
        tmp_path, PMLP, 'name="DzimsanasDatums" type="tns:DatumsType"', 'name="Dzimis" type="tns:DatumsType"'
    )
    _, said = judged(home, "pmlp/v1-0", new)
    partners = said["partners"]
    assert isinstance(partners, list)
    assert [(one["service"], one["name"]) for one in partners] == [("persons", "riga")]


def test_services_behind_operations_that_are_not_broken_are_left_alone() -> None:
    def gone(operation: str) -> Change:
        return Change(Kind.OPERATION_REMOVED, operation, Side.ALL, "", operation, "", False, True)

    assert services_behind("vzd", impacts((gone("ResolveCode"),), "vzd")) == ("addresses",)
    assert services_behind("vzd", impacts((gone("Nothing"),), "vzd")) == ()


def test_a_contract_of_nobody_known(home: Home, tmp_path: Path) -> None:
    one = edited(tmp_path / "a", PMLP, "x", "x")
    two = edited(tmp_path / "b", PMLP, 'name="MirsanasDatums"', 'name="NavesDatums"')
    result = home.run("contracts", "diff", str(one), str(two))
    assert result.exit_code == 11
    assert "not mapped by us" in result.output
    assert "--system NAME" in result.output
    named = home.run("contracts", "diff", str(one), str(two), "--system", "pmlp")
    assert "the mapping table must change (GetPersonResponse: death_date)" in named.output


@pytest.mark.parametrize("place", ["nowhere/v1-0", "pmlp", "../config", "spolis/fault/v1-0"])
def test_what_is_no_contract_is_an_error_and_no_verdict(home: Home, place: str) -> None:
    result = home.run("contracts", "diff", place, "pmlp/v1-0")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "invalid_request" in result.stderr


def test_every_change_has_words_in_both_languages() -> None:
    for kind in Kind:
        for side, path in ((Side.ANSWER, "/A/B"), (Side.ALL, "")):
            change = Change(kind, "Op", side, path, "before", "after", True, False)
            texts = {sentence(change, language) for language in LANGUAGES}
            assert len(texts) == len(LANGUAGES)
            assert all("{" not in text for text in texts)
    assert all(set(words) == set(LANGUAGES) for words in WORDS.values())


@pytest.mark.parametrize("found", list(wsdl.contracts()), ids=lambda found: f"{found.system}-{found.version}")
def test_no_contract_differs_from_itself(found: wsdl.Contract) -> None:
    described = describe(found.wsdl, wsdl.ROOT)
    assert verdict(impacts(changes(described, described), found.system)) is Verdict.NONE


def test_the_exit_codes_are_in_the_help(home: Home) -> None:
    text = " ".join(home.run("contracts", "diff", "--help").output.split())
    assert "Exit code: 0 nothing changed, 10 compatible, 11 breaking." in text
    assert config.CHECKOUT.joinpath("docs/adding-a-system.md").is_file()

"""The report to a person at the console: what the command tells, no more, and on record."""

from __future__ import annotations

import csv
import dataclasses
import re

import pytest

from audit.log import ExchangeLog, open_log
from endpoints.console.roles import Role
from gateway import Gateway
from tests.endpoints.conftest import Site
from tests.endpoints.console.recorded import SCRIPT, acts, last_act, sequence, write
from tests.endpoints.console.signing_in import csrf_of, signed_in


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.AUDITOR, 200), (Role.DPO, 200), (Role.OPERATOR, 403), (Role.ADMINISTRATOR, 403)],
)
def test_who_may(site: Site, role: Role, status: int) -> None:
    client = signed_in(site.gateway, role)
    before = acts(site.gateway)
    assert client.get("/console/person").status_code == status
    assert acts(site.gateway) == before


def test_the_report_in_the_language_asked_for_and_its_record(site: Site) -> None:
    code = "330501-12345"
    write(site.gateway, code=code, given=["given_names"])
    sequence(site.gateway)
    client = signed_in(site.gateway, Role.DPO)
    form = {"person": code, "purpose": "request 17", "csrf": csrf_of(client.get("/console/person").text)}
    page = client.post("/console/person", data=form)
    assert "Pārskats par piekļuvi personas datiem" in page.text
    assert "Labklājības ministrija" in page.text
    assert "var vērsties Datu valsts inspekcijā" in page.text
    assert "MT-1042" not in page.text, "the official is told to auditors only"
    assert not [one for one in re.findall(r'(?:href|action)="([^"]*)"', page.text) if code in one]
    facts, values = last_act(site.gateway)
    assert (facts["act"], values["purpose"], facts["asked_by"], facts["entries"]) == (
        "audit subject", "request 17", "self", 1,
    )  # fmt: skip
    assert (values["official"], values["subject"]) == ("dpo-1", code.replace("-", ""))
    english = client.post("/console/person", data=form | {"language": "en", "asked_by": "auditor"})
    assert "Report on access to personal data" in english.text
    assert "Ministry of Welfare" in english.text
    assert "MT-1042" in english.text
    assert "Sagatavot pārskatu" in english.text, "the console stays in its own language"
    client.get("/console/person?lang=en")
    assert "Make the report" in client.get("/console/person").text


def test_what_the_law_withholds_leaves_no_trace_and_is_counted_on_record(site: Site) -> None:
    code = "330502-12345"
    write(site.gateway, code=code)
    write(site.gateway, code=code, recipient="iem-ic", purpose="public-security", system="care-stays")
    sequence(site.gateway)
    client = signed_in(site.gateway, Role.AUDITOR)
    form = {"person": code, "purpose": "request 18", "csrf": csrf_of(client.get("/console/person").text)}
    page = client.post("/console/person", data=form)
    assert "Piekļuves: 1" in page.text
    assert "public-security" not in page.text
    assert last_act(site.gateway)[0]["withheld_entries"] == {"police": 1}
    # The report before is an access too, and that of an auditor.
    assert "Piekļuves: 3" in client.post("/console/person", data=form | {"asked_by": "auditor"}).text


def test_a_sheet(site: Site) -> None:
    code = "330503-12345"
    write(site.gateway, code=code, role="=cmd()")
    client = signed_in(site.gateway, Role.DPO)
    form = {"person": code, "purpose": "request 19", "csrf": csrf_of(client.get("/console/person").text)}
    answer = client.post("/console/person", data=form | {"as": "csv"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="report.csv"'
    (row,) = csv.DictReader(answer.text.removeprefix("\ufeff").splitlines())
    assert row["role"] == "'=cmd()"
    assert last_act(site.gateway)[0]["act"] == "audit subject"


def fields_of(text: str, button: str) -> dict[str, str]:
    """What a form of the page sends, by the text of its button."""
    form = re.search(
        rf'<form[^>]*action="/console/person">((?:(?!</form>).)*?)>{button}</button>', text, re.S
    )
    assert form is not None, button
    return dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form[1]))


def test_a_long_report_by_pages_each_on_record_and_whole_to_be_printed(site: Site) -> None:
    code = "330508-12345"
    numbers = [str(write(site.gateway, code=code)) for _ in range(51)]
    write(site.gateway, code=code, recipient="iem-ic", purpose="public-security", system="care-stays")
    numbers += [
        str(write(site.gateway, code=code, institution="99999999999", recipient="somewhere"))
        for _ in range(2)
    ]
    sequence(site.gateway)
    client = signed_in(site.gateway, Role.DPO)
    csrf = csrf_of(client.get("/console/person").text)
    first = client.post("/console/person", data={"person": code, "purpose": "request 20", "csrf": csrf}).text
    assert [one for one in numbers if one in first] == numbers[:50]
    assert "Piekļuves: 53 · 1–50" in first
    assert re.findall(r"<dt>([^<]+)</dt><dd>(51|2)</dd>", first)[1] == ("99999999999", "2"), "of the whole"
    assert "public-security" not in first
    facts, values = last_act(site.gateway)
    told = (values["purpose"], facts["entries"], facts["shown"], facts["withheld_entries"])
    assert told == ("request 20", 53, [1, 50], {"police": 1})
    assert "Iepriekšējie" not in first

    onward = fields_of(first, "Nākamie")
    second = client.post("/console/person", data=onward).text
    assert [one for one in numbers if one in second] == numbers[50:]
    assert "Piekļuves: 53 · 51–53" in second, "the page before is none of this report's accesses"
    assert "public-security" not in second
    facts, values = last_act(site.gateway)
    assert (values["purpose"], facts["entries"], facts["shown"]) == ("request 20", 53, [51, 53])
    assert values["subject"] == code.replace("-", "")
    assert ("Nākamie" in second, fields_of(second, "Iepriekšējie")["page"]) == (False, "1")

    whole = client.post("/console/person", data=fields_of(second, "Viss drukāšanai")).text
    assert [one for one in numbers if one in whole] == numbers
    assert "Viss drukāšanai" not in whole
    facts, _values = last_act(site.gateway)
    assert (facts["entries"], "shown" in facts) == (53, False)
    before = acts(site.gateway)
    for wrong in ({"page": "3"}, {"page": "0"}, {"page": "x"}, {"as_of": "now"}, {"as_of": "2026-01-01"}):
        page = client.post("/console/person", data=onward | wrong)
        assert (page.status_code, numbers[0] in page.text) == (400, False), wrong
    assert client.post("/console/person", data=onward | {"purpose": ""}).status_code == 400
    assert acts(site.gateway) == before
    later = client.post("/console/person", data=onward | {"as_of": "2999-01-01T00:00:00+00:00"}).text
    assert "2999" not in later, "nobody asks as of a day to come, when nothing is withheld any more"


def test_no_page_of_it_is_shown_without_its_record(site: Site) -> None:
    code = "330509-12345"
    numbers = [str(write(site.gateway, code=code)) for _ in range(51)]
    client = signed_in(site.gateway, Role.DPO)
    csrf = csrf_of(client.get("/console/person").text)
    form = {"person": code, "purpose": "request 21", "csrf": csrf}
    onward = fields_of(client.post("/console/person", data=form).text, "Nākamie")
    gone = signed_in(dataclasses.replace(site.gateway, log=closed(site.gateway)), Role.DPO)
    onward["csrf"] = csrf_of(gone.get("/console/person").text)
    for what in ({}, {"page": "1"}, {"as": "whole"}, {"as": "csv"}):
        page = gone.post("/console/person", data=onward | what)
        assert (page.status_code, [one for one in numbers if one in page.text]) == (503, []), what


def closed(gateway: Gateway) -> ExchangeLog:
    """A log that takes no records."""
    log = open_log(gateway.settings, gateway.engine)
    log.close()
    return log


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"purpose": ""}, "Norādiet, kāpēc jautājat"),
        ({"person": ""}, "Par ko ir pārskats?"),
        ({"person": "17"}, "Tas nav personas kods"),
        ({"from": "yesterday"}, "Dienu raksta šādi"),
        ({"asked_by": "everybody"}, "Izvēlieties prasītāju"),
        ({"language": "ru"}, "Izvēlieties prasītāju"),
    ],
)
def test_what_is_not_understood_is_said_and_nothing_is_told(
    site: Site, changed: dict[str, str], said: str
) -> None:
    client = signed_in(site.gateway, Role.DPO)
    csrf = csrf_of(client.get("/console/person").text)
    before = acts(site.gateway)
    form = {"person": "330504-12345", "purpose": "x", "csrf": csrf} | changed
    page = client.post("/console/person", data=form)
    assert (page.status_code, said in page.text) == (400, True)
    assert acts(site.gateway) == before


def test_a_person_whom_nobody_asked_about_and_days(site: Site) -> None:
    client = signed_in(site.gateway, Role.DPO)
    csrf = csrf_of(client.get("/console/person").text)
    form = {"person": "330505-12345", "purpose": "x", "csrf": csrf}
    page = client.post("/console/person", data=form)
    assert "Piekļuves: 0" in page.text
    write(site.gateway, code="330506-12345")
    past = {"person": "330506-12345", "from": "2020-01-01", "to": "2020-12-31"}
    assert "Piekļuves: 0" in client.post("/console/person", data=form | past).text
    now = past | {"to": ""}
    assert "Piekļuves: 2" in client.post("/console/person", data=form | now).text, "with the report before"


def test_nothing_that_a_partner_writes_becomes_markup(site: Site) -> None:
    code = "330507-12345"
    names = ("system", "operation", "institution", "role", "recipient", "purpose", "rule", "source")
    write(site.gateway, code=code, official=SCRIPT, **dict.fromkeys(names, SCRIPT), given=[SCRIPT])
    client = signed_in(site.gateway, Role.AUDITOR)
    form = {
        "person": code,
        "purpose": SCRIPT,
        "asked_by": "auditor",
        "csrf": csrf_of(client.get("/console/person").text),
    }
    page = client.post("/console/person", data=form)
    assert page.status_code == 200
    assert page.text.count("&lt;script&gt;") > 6
    assert SCRIPT not in page.text

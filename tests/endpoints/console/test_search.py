"""The search: who may, what is found, what goes on record, and nothing personal in an address."""

from __future__ import annotations

import csv
import re
import uuid

import pytest

from audit import Entry, Kind
from endpoints.console.roles import Role
from exchange import Json, new_id, utc_now
from questions.purposes import why
from tests.endpoints.conftest import Site
from tests.endpoints.console.recorded import SCRIPT, acts, last_act, sequence, write
from tests.endpoints.console.signing_in import csrf_of, signed_in

CODE = "330201-12345"


@pytest.mark.parametrize(
    ("path", "role", "status"),
    [
        ("search", Role.AUDITOR, 200),
        ("search", Role.DPO, 200),
        ("search", Role.OPERATOR, 200),
        ("search", Role.ADMINISTRATOR, 403),
        ("search-personal", Role.AUDITOR, 200),
        ("search-personal", Role.DPO, 200),
        ("search-personal", Role.OPERATOR, 403),
        ("search-personal", Role.ADMINISTRATOR, 403),
    ],
)
def test_who_may(site: Site, path: str, role: Role, status: int) -> None:
    assert signed_in(site.gateway, role).get(f"/console/{path}").status_code == status


def test_an_empty_form_searches_nothing_and_leaves_no_record(site: Site) -> None:
    before = acts(site.gateway)
    page = signed_in(site.gateway, Role.AUDITOR).get("/console/search")
    assert "Nekas vēl nav meklēts" in page.text
    assert "Ierakstīts žurnālā" not in page.text
    assert acts(site.gateway) == before


def test_an_operator_is_not_offered_what_names_persons(site: Site) -> None:
    text = signed_in(site.gateway, Role.OPERATOR).get("/console/search").text
    assert "search-personal" not in text
    assert "audit+subject" not in text


def test_what_is_found_is_grouped_in_words_and_the_search_is_on_record(site: Site) -> None:
    caller = f"caller-{uuid.uuid4().hex}"
    number = write(site.gateway, caller=caller)
    sequence(site.gateway)
    client = signed_in(site.gateway, Role.OPERATOR)
    page = client.get(f"/console/search?caller={caller}&outcome=ok")
    assert page.status_code == 200
    assert f'href="/console/exchanges/{number}"' in page.text
    for words in (
        "Labklājības ministrija",
        "sociālā pakalpojuma piešķiršana",
        "atbildēts",
        "Ierakstīts žurnālā",
    ):
        assert words in page.text
    assert "MT-1042" not in page.text
    facts, values = last_act(site.gateway)
    assert facts["act"] == "audit search"
    assert facts["filters"] == {"caller": caller, "outcome": "ok"}
    assert (facts["found"], facts["role"], values) == (1, "operator", {"official": "operator-1"})
    client.get("/console/search?lang=en")
    english = client.get(f"/console/search?exchange={number}").text
    assert "Exchanges found: 1, in 2 records" in english
    assert "granting a social service" in english


def test_every_filter_is_in_the_address_and_narrows(site: Site) -> None:
    caller = f"caller-{uuid.uuid4().hex}"
    number = write(site.gateway, caller=caller)
    sequence(site.gateway)
    client = signed_in(site.gateway, Role.AUDITOR)
    right = {
        "system": "persons",
        "operation": "GetPerson",
        "institution": "90000022632",
        "outcome": "ok",
        "rule": "p8.1",
        "purpose": "social-service",
        "kind": "outcome",
        "recipient": "riga-social-service",
        "exchange": str(number),
        "from": "2020-01-01",
        "to": "2999-01-01",
    }
    wrong = dict.fromkeys(right, "nothing-like-that") | {
        "exchange": str(new_id()),
        "from": "2999-01-01",
        "to": "2020-01-01",
    }
    link = f"/console/exchanges/{number}"
    for name, value in right.items():
        assert link in client.get("/console/search", query_string={"caller": caller, name: value}).text, name
        other = client.get("/console/search", query_string={"caller": caller, name: wrong[name]})
        assert link not in other.text, name
        assert "Šādu ierakstu žurnālā nav." in other.text


def test_pages_go_on_by_the_address(site: Site) -> None:
    caller = f"caller-{uuid.uuid4().hex}"
    entries = [
        Entry(Kind.OUTCOME, new_id(), utc_now(), {"caller": caller, "outcome": "ok"}) for _ in range(101)
    ]
    site.gateway.log.write(*entries)
    sequence(site.gateway)
    client = signed_in(site.gateway, Role.AUDITOR)
    first = client.get(f"/console/search?caller={caller}").text
    older = re.search(r'href="(/console/search\?[^"]*after=[^"]*)"', first)
    assert older is not None
    second = client.get(older[1].replace("&amp;", "&")).text
    links = [set(re.findall(r"/console/exchanges/([0-9a-f-]+)", text)) for text in (first, second)]
    assert [len(one) for one in links] == [100, 1]
    assert not links[0] & links[1]
    assert "after=" not in second


def test_a_sheet_has_the_same_rows_and_is_on_record(site: Site) -> None:
    caller = f"caller-{uuid.uuid4().hex}"
    write(site.gateway, caller=caller, role="=cmd()")
    answer = signed_in(site.gateway, Role.OPERATOR).get(f"/console/search?caller={caller}&as=csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="exchange-log.csv"'
    assert answer.content_type == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(answer.text.removeprefix("\ufeff").splitlines())
    assert (row["outcome"], row["caller"], row["role"]) == ("ok", caller, "'=cmd()")
    assert "official" not in row
    assert last_act(site.gateway)[0]["filters"] == {"caller": caller}


@pytest.mark.parametrize(
    ("query", "latvian", "english"),
    [
        ("from=yesterday", "Dienu raksta šādi", "A day is written"),
        ("to=0001-01-01", "Dienu raksta šādi", "A day is written"),
        ("exchange=17", "Apmaiņas numurs izskatās šādi", "An exchange has a number such as"),
        ("after=x&system=pmlp", "Adrese mainīta ar roku", "The address was changed by hand"),
    ],
)
def test_what_is_not_understood_is_said_beside_the_form(
    site: Site, query: str, latvian: str, english: str
) -> None:
    client = signed_in(site.gateway, Role.AUDITOR)
    page = client.get(f"/console/search?{query}")
    assert (page.status_code, latvian in page.text) == (400, True)
    assert "<form" in page.text
    client.get("/console/search?lang=en")
    assert english in client.get(f"/console/search?{query}").text


def test_nothing_that_a_partner_writes_becomes_markup(site: Site) -> None:
    caller = f"{SCRIPT}{uuid.uuid4().hex}"
    written = (
        "system",
        "operation",
        "institution",
        "role",
        "recipient",
        "purpose",
        "rule",
        "code",
        "outcome",
    )
    write(site.gateway, official=SCRIPT, case=SCRIPT, code=SCRIPT, caller=caller)
    facts = dict.fromkeys(written, SCRIPT) | {"caller": caller}
    site.gateway.log.write(Entry(Kind.OUTCOME, new_id(), utc_now(), facts, {"official": SCRIPT}))
    client = signed_in(site.gateway, Role.AUDITOR)
    page = client.get("/console/search", query_string={"caller": caller})
    assert page.text.count("&lt;script&gt;") > 5
    assert SCRIPT not in page.text
    form = {"caller": caller, "official": SCRIPT, "purpose": SCRIPT, "csrf": csrf_of(page.text)}
    personal = client.post("/console/search-personal", data=form)
    assert personal.status_code == 200
    assert personal.text.count("&lt;script&gt;") > 8
    assert SCRIPT not in personal.text


def test_by_person_needs_a_purpose_and_is_a_record_about_that_person(site: Site) -> None:
    write(site.gateway, code=CODE)
    sequence(site.gateway)
    client = signed_in(site.gateway, Role.DPO)
    csrf = csrf_of(client.get("/console/search-personal").text)
    before = acts(site.gateway)
    refused = client.post("/console/search-personal", data={"person": CODE, "csrf": csrf})
    assert (refused.status_code, "MT-1042" in refused.text) == (400, False)
    assert "Norādiet, kāpēc jautājat" in refused.text
    assert acts(site.gateway) == before
    form = {"person": CODE, "purpose": "complaint 7", "csrf": csrf, "kind": "outcome"}
    page = client.post("/console/search-personal", data=form)
    assert "MT-1042" in page.text
    assert "L-1" in page.text
    facts, values = last_act(site.gateway)
    assert (facts["act"], values["purpose"], facts["by_person"]) == ("audit search", "complaint 7", True)
    assert (values["official"], values["subject"]) == ("dpo-1", CODE)
    assert not [one for one in re.findall(r'(?:href|action)="([^"]*)"', page.text) if CODE in one]
    sheet = client.post("/console/search-personal", data=form | {"as": "csv"})
    (row, *_) = csv.DictReader(sheet.text.removeprefix("\ufeff").splitlines())
    assert (row["official"], row["case"]) == ("MT-1042", "L-1")


def test_it_opens_nobody_where_nobody_is_named(site: Site) -> None:
    client = signed_in(site.gateway, Role.DPO)
    csrf = csrf_of(client.get("/console/search-personal").text)
    before = acts(site.gateway)
    form = {"system": "persons", "purpose": "curious", "csrf": csrf}
    page = client.post("/console/search-personal", data=form)
    assert (page.status_code, "MT-1042" in page.text) == (400, False)
    assert "Ierakstiet personas kodu vai darbinieku." in page.text
    assert acts(site.gateway) == before


def test_by_official_names_whom_it_sought(site: Site) -> None:
    official = f"MT-{uuid.uuid4().hex}"
    write(site.gateway, official=official, code="330301-12345")
    client = signed_in(site.gateway, Role.AUDITOR)
    csrf = csrf_of(client.get("/console/search-personal").text)
    form = {"official": official, "purpose": "inspection", "exchange_purpose": "social-service", "csrf": csrf}
    assert official in client.post("/console/search-personal", data=form).text
    facts, values = last_act(site.gateway)
    assert values["sought_official"] == official
    assert values["subject"] == "330301-12345"
    assert facts["filters"] == {"purpose": "social-service"}


def test_pages_of_a_personal_search_go_on_by_post(site: Site) -> None:
    official = f"MT-{uuid.uuid4().hex}"
    personal = {"official": official}
    site.gateway.log.write(
        *(Entry(Kind.OUTCOME, new_id(), utc_now(), {"outcome": "ok"}, personal) for _ in range(101))
    )
    client = signed_in(site.gateway, Role.AUDITOR)
    csrf = csrf_of(client.get("/console/search-personal").text)
    form = {"official": official, "purpose": "inspection", "csrf": csrf}
    first = client.post("/console/search-personal", data=form).text
    after = re.search(r'name="after" value="([^"]+)"', first)
    assert after is not None
    second = client.post("/console/search-personal", data=form | {"after": after[1]}).text
    assert len(set(re.findall(r"/console/exchanges/([0-9a-f-]+)", second))) == 1


def test_a_form_of_another_site_is_refused(site: Site) -> None:
    before = acts(site.gateway)
    form = {"person": CODE, "purpose": "x", "csrf": "another"}
    page = signed_in(site.gateway, Role.AUDITOR).post("/console/search-personal", data=form)
    assert (page.status_code, acts(site.gateway)) == (403, before)


def test_a_code_that_was_mistyped_is_said(site: Site) -> None:
    client = signed_in(site.gateway, Role.DPO)
    csrf = csrf_of(client.get("/console/search-personal").text)
    page = client.post("/console/search-personal", data={"person": "17", "purpose": "x", "csrf": csrf})
    assert (page.status_code, "Tas nav personas kods" in page.text) == (400, True)


NAMING = "Anna Paraugs asked for it"


@pytest.mark.parametrize("before", [True, False], ids=["in the leaf, as it was once", "as it is now"])
def test_what_others_typed_as_a_purpose_is_for_those_who_supervise(site: Site, before: bool) -> None:
    number = new_id()
    public, typed = ({"purpose": NAMING}, {}) if before else why(NAMING)
    personal: dict[str, Json] = {"official": "dpo-1", "subject": CODE, **typed}
    site.gateway.log.write(
        Entry(Kind.ADMIN, number, utc_now(), {"act": "audit subject", **public}, personal),
        Entry(Kind.ADMIN, new_id(), utc_now(), {"act": "audit subject", **why("reconciliation")[0]}),
    )
    sequence(site.gateway)
    operator, administrator = (signed_in(site.gateway, one) for one in (Role.OPERATOR, Role.ADMINISTRATOR))
    asked = {"act": "audit subject", "exchange": str(number)}
    for answer in (
        operator.get("/console/search", query_string=asked),
        operator.get("/console/search", query_string={**asked, "as": "csv"}),
        operator.get(f"/console/exchanges/{number}"),
        administrator.get("/console/administration", query_string={"act": "audit subject"}),
    ):
        assert answer.status_code == 200
        assert "audit subject" in answer.text or "rskats par piek" in answer.text
        assert "Anna" not in answer.text
        assert "dpo-1" not in answer.text
    assert "reconciliation" in administrator.get("/console/administration").text, "that nobody typed"
    dpo = signed_in(site.gateway, Role.DPO)
    csrf = csrf_of(dpo.get("/console/search-personal").text)
    form = {"csrf": csrf, "purpose": "inspection 4", "official": "dpo-1", **asked}
    assert NAMING in dpo.post("/console/search-personal", data=form).text
    assert NAMING in dpo.post("/console/search-personal", data=form | {"as": "csv"}).text


@pytest.mark.parametrize(
    "page", ["search?kind=admin&after={}", "administration?after={}", "retention?after={}"]
)
@pytest.mark.parametrize("after", ["17", "2026-01-31T08:00:00.000000Z/x", "/4"])
def test_where_a_page_goes_on_is_no_longer_what_it_was(site: Site, page: str, after: str) -> None:
    client = signed_in(site.gateway, Role.AUDITOR)
    before = acts(site.gateway)
    answer = client.get(f"/console/{page.format(after)}")
    assert answer.status_code == 400
    assert "Adrese mainīta ar roku. Atveriet sarakstu no sākuma." in answer.text
    assert "goes on after" not in answer.text
    client.get("/console/search?lang=en")
    assert "The address was changed by hand." in client.get(f"/console/{page.format(after)}").text
    assert acts(site.gateway) == before

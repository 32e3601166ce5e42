"""Unusual look-ups at the console: shown, opened for a purpose, decided on, each on record."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta

import pytest

from audit import Entry, Kind, flags
from audit.flags import Flag
from endpoints.console.roles import Role
from exchange import RIGA, new_id, today_in_riga, utc_now
from tests.endpoints.conftest import Site
from tests.endpoints.console.recorded import FACTS, SCRIPT, acts, last_act, sequence, write
from tests.endpoints.console.signing_in import csrf_of, signed_in


def flagged(
    site: Site, official: str = "MT-1042", code: str = "330601-12345", recipient: str = ""
) -> uuid.UUID:
    """A flag of today on one exchange of an official; its id."""
    number = write(site.gateway, official=official, code=code)
    key, today = uuid.uuid4().hex, today_in_riga()
    flag = Flag(
        key=key,
        day=today,
        kind="out_of_hours",
        recipient=recipient or f"recipient-{key}",
        figures={"lookups": 3, "first": "23:05"},
        exchanges=(str(number),),
    )
    with site.gateway.engine.begin() as connection:
        flags.keep(connection, [flag], utc_now())
        kept = flags.listed(connection, today, today + timedelta(days=1), dismissed=True)
    return next(one.id for one in kept if one.key == key)


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.AUDITOR, 200), (Role.DPO, 200), (Role.OPERATOR, 403), (Role.ADMINISTRATOR, 403)],
)
def test_who_may(site: Site, role: Role, status: int) -> None:
    client = signed_in(site.gateway, role)
    for path in ("unusual", "unusual/look", "unusual/dismiss"):
        assert client.get(f"/console/{path}", follow_redirects=True).status_code == status


def test_a_flag_with_its_figures_and_its_reason_in_both_languages(site: Site) -> None:
    flag = flagged(site)
    client = signed_in(site.gateway, Role.DPO)
    page = client.get("/console/unusual")
    assert str(flag) in page.text
    assert "3 vaicājumi ārpus darba laika, pirmais plkst. 23:05" in page.text
    assert "jāizlemj" in page.text
    assert "330601-12345" not in page.text
    assert "MT-1042" not in page.text
    facts, values = last_act(site.gateway)
    assert (facts["act"], facts["purpose"], values) == ("audit unusual", "supervision", {"official": "dpo-1"})
    client.get("/console/unusual?lang=en")
    assert "3 look-ups out of working hours, the first at 23:05" in client.get("/console/unusual").text


def test_days_without_any(site: Site) -> None:
    flagged(site)
    client = signed_in(site.gateway, Role.DPO)
    page = client.get("/console/unusual?from=2020-01-01&to=2020-01-31&state=all")
    assert "Šajās dienās nekā neparasta nav." in page.text
    wrong = client.get("/console/unusual?from=yesterday")
    assert (wrong.status_code, "Dienu raksta šādi" in wrong.text) == (400, True)
    assert client.get("/console/unusual?to=9999-12-31").status_code == 400


def test_many_are_paged_by_the_address_and_opened_by_the_page(site: Site) -> None:
    day, official = datetime(2025, 3, 3, tzinfo=RIGA).date(), f"MT-{uuid.uuid4().hex}"
    exchange = write(site.gateway, official=official, code="330604-12345")
    several = [
        Flag(
            key=uuid.uuid4().hex,
            day=day + timedelta(days=number % 2),
            kind="own_record",
            recipient="one",
            figures={"lookups": 2},
            exchanges=(str(exchange),),
        )
        for number in range(51)
    ]
    with site.gateway.engine.begin() as connection:
        flags.keep(connection, several, utc_now())
    client = signed_in(site.gateway, Role.DPO)
    first = client.get("/console/unusual?from=2025-03-03&to=2025-03-04").text
    onward = re.search(r'href="(/console/unusual\?[^"]*after=[^"]*)"', first)
    assert onward is not None
    second = client.get(onward[1].replace("&amp;", "&")).text
    shown = [re.findall(r'aria-labelledby="flag-([0-9a-f-]+)"', text) for text in (first, second)]
    assert [len(one) for one in shown] == [50, 1]
    assert len({*shown[0], *shown[1]}) == 51
    assert last_act(site.gateway)[0]["flags"] == 1
    assert ("Vecāki" in second, "Uz sākumu" in second) == (False, True)
    # Opened, it is the same page, and so is the one after it.
    form = re.search(
        r'<form class="stack" method="post" action="/console/unusual">(.*?)</form>', second, re.S
    )
    assert form is not None
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]+)"', form[1])) | {"purpose": "inspection 4"}
    opened = client.post("/console/unusual", data=fields).text
    assert re.findall(r'aria-labelledby="flag-([0-9a-f-]+)"', opened) == shown[1]
    assert official in opened
    start = re.search(r'<form method="post" action="/console/unusual">(.*?)</form>', opened, re.S)
    assert start is not None
    begun = client.post(
        "/console/unusual", data=dict(re.findall(r'name="([^"]+)" value="([^"]*)"', start[1]))
    )
    assert re.findall(r'aria-labelledby="flag-([0-9a-f-]+)"', begun.text) == shown[0]
    assert last_act(site.gateway)[1]["purpose"] == "inspection 4"


def test_officials_and_persons_for_a_purpose_with_the_way_to_their_exchanges(site: Site) -> None:
    official = f"MT-{uuid.uuid4().hex}"
    flagged(site, official, "330602-12345")
    client = signed_in(site.gateway, Role.AUDITOR)
    csrf = csrf_of(client.get("/console/unusual").text)
    refused = client.post("/console/unusual", data={"csrf": csrf})
    assert (refused.status_code, official in refused.text) == (400, False)
    page = client.post("/console/unusual", data={"csrf": csrf, "purpose": "inspection 3"})
    assert official in page.text
    assert "330602-12345" in page.text
    facts, values = last_act(site.gateway)
    assert (facts["act"], values["purpose"]) == ("audit unusual", "inspection 3")
    assert "330602-12345" in str(values["subject"])
    form = re.search(
        rf'action="/console/search-personal">((?:(?!</form>).)*{official}.*?)</form>', page.text, re.S
    )
    assert form is not None
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form[1]))
    found = client.post("/console/search-personal", data=fields)
    assert "Atrastās apmaiņas: 1" in found.text
    assert "330602-12345" in found.text


def test_a_decision_and_its_record_are_one_and_stand_once(site: Site) -> None:
    flag = flagged(site)
    client = signed_in(site.gateway, Role.DPO)
    csrf = csrf_of(client.get("/console/unusual").text)
    form = {"flag": str(flag), "reason": "on duty that night", "csrf": csrf}
    before = acts(site.gateway, act="audit unusual dismiss")
    for wrong in ({"reason": " "}, {"reason": "x" * 1001}, {"flag": "17"}, {"flag": str(uuid.uuid4())}):
        assert client.post("/console/unusual/dismiss", data=form | wrong).status_code == 400
    assert client.post("/console/unusual/dismiss", data=form | {"csrf": "x"}).status_code == 403
    assert acts(site.gateway, act="audit unusual dismiss") == before
    done = client.post("/console/unusual/dismiss", data=form)
    assert done.status_code == 303
    assert "Izlemts un ierakstīts žurnālā." in client.get(done.headers["Location"]).text
    assert acts(site.gateway, act="audit unusual dismiss") == before + 1
    again = client.post("/console/unusual/dismiss", data=form)
    assert (again.status_code, "Par to jau kāds ir izlēmis." in again.text) == (400, True)
    assert str(flag) not in client.get("/console/unusual").text
    for state in ("dismissed", "all"):
        text = client.get(f"/console/unusual?state={state}").text
        assert "dpo-1: on duty that night" in text, state
    waiting = flagged(site)
    assert str(waiting) not in client.get("/console/unusual?state=dismissed").text


def test_the_record_of_a_decision_keeps_its_reason_erasable(site: Site) -> None:
    flag = flagged(site)
    client = signed_in(site.gateway, Role.AUDITOR)
    csrf = csrf_of(client.get("/console/unusual").text)
    form = {"flag": str(flag), "reason": "night rota", "csrf": csrf}
    client.post("/console/unusual/dismiss", data=form)
    facts, values = last_act(site.gateway)
    assert (facts["act"], facts["flags"]) == ("audit unusual dismiss", [str(flag)])
    assert "night rota" not in str(facts)
    assert values == {"official": "auditor-1", "decided_by": "auditor-1", "reason": "night rota"}


def test_a_day_is_looked_through_at_once(site: Site) -> None:
    recipient, number = f"recipient-{uuid.uuid4().hex}", new_id()
    night = datetime(2026, 1, 14, 23, 5, tzinfo=RIGA)
    facts = {**FACTS, "recipient": recipient, "outcome": "ok"}
    personal = {"subject": "330603-12345", "official": "MT-1", "case": "L"}
    site.gateway.log.write(Entry(Kind.OUTCOME, number, night, facts, personal))
    sequence(site.gateway)
    client = signed_in(site.gateway, Role.DPO)
    csrf = csrf_of(client.get("/console/unusual").text)
    page = client.post("/console/unusual/look", data={"day": "2026-01-14", "csrf": csrf})
    assert recipient in page.text
    assert f"/console/exchanges/{number}" in page.text
    assert last_act(site.gateway)[0]["from"] == "2026-01-14"
    assert client.post("/console/unusual/look", data={"day": "soon", "csrf": csrf}).status_code == 400


def test_nothing_that_a_partner_writes_becomes_markup(site: Site) -> None:
    flag = flagged(site, SCRIPT, recipient=f"{SCRIPT}{uuid.uuid4().hex}")
    client = signed_in(site.gateway, Role.AUDITOR)
    first = client.get("/console/unusual").text
    form = {"purpose": SCRIPT, "csrf": csrf_of(first)}
    page = client.post("/console/unusual", data=form)
    reason = {"flag": str(flag), "reason": SCRIPT, "csrf": csrf_of(first)}
    assert client.post("/console/unusual/dismiss", data=reason).status_code == 303
    decided = client.get("/console/unusual?state=all")
    for text in (first, page.text, decided.text):
        assert "&lt;script&gt;" in text
        assert SCRIPT not in text

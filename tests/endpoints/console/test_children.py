"""Children on the console: numbers for a look, lists for a purpose, each child on record, what is noted noted once."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import Client, TestResponse

import registers
from endpoints.console.roles import Role
from exchange import Environment, today_in_riga
from gateway import Gateway
from registers import child_alerts, report_handovers
from registers.child_calendar import months_after
from registers.report_handovers import HandoverState
from routing import child_reports, child_watch
from routing.child_watch import Acting
from tests.endpoints.console.deciding import ESCAPED, SCRIPT, opened_by, statuses, token
from tests.endpoints.console.gateways import acts, own_gateway
from tests.endpoints.console.signing_in import signed_in
from tests.registers.invented import person_code, provenance
from tests.registers.test_placement_conflicts import ours
from tests.routing.test_child_watch import born, told_of

PAGE = "/console/children"
HOME = f"Bērnu centrs {SCRIPT}"


@pytest.fixture
def gateway(api_keys: Path, database: str) -> Iterator[Gateway]:
    with own_gateway(api_keys, database) as made:
        yield made


def months_ago(months: int) -> str:
    return str(months_after(today_in_riga(), -months))


def feed(gateway: Gateway, *records: object) -> None:
    with gateway.engine.begin() as connection:
        for minutes, record in enumerate(records):
            registers.feed(connection, record, provenance(minutes, "npais"))


@pytest.fixture
def children(gateway: Gateway) -> list[str]:
    """Three of them: one whose reports are late, one due within a week, one later; with the alerts of today."""
    late, week, later = (person_code() for _ in range(3))
    feed(
        gateway,
        ours(late, entered_on=months_ago(13), institution=HOME),
        ours(week, entered_on=months_ago(6), municipality="0050000"),
        born(week, "2015-01-01"),
        ours(later, entered_on=months_ago(1)),
    )
    watched = Acting(Environment.TEST, "tests", "tests")
    child_watch.watch(gateway.engine, gateway.log, watched, today_in_riga())
    return [late, week, later]


def opened(client: Client, what: str, purpose: str = "pārbaude", **more: str) -> TestResponse:
    form = {"csrf": token(client, PAGE), "what": what, "purpose": purpose, **more}
    return client.post(f"{PAGE}/list", data=form)


def figure(text: str, name: str) -> str:
    (number,) = re.findall(rf"<dt>{name}</dt>\s*<dd>(\d+)", text)
    return str(number)


def looks(gateway: Gateway) -> list[dict[str, object]]:
    return [one for one in acts(gateway, "children") if one["act"] != "children watch"]


def test_those_who_see_persons_see_numbers_without_a_purpose(gateway: Gateway, children: list[str]) -> None:
    assert statuses(gateway, PAGE) == opened_by(Role.DPO, Role.AUDITOR)
    text = signed_in(gateway, Role.AUDITOR).get(PAGE).text
    assert [figure(text, name) for name in ("Nokavētie ziņojumi", "Bērni", "Vecums nav zināms")] == [
        "1",
        "3",
        "2",
    ]
    assert figure(text, "Jāsaņem nedēļas laikā") == "1"
    assert not any(code in text or code.replace("-", "") in text for code in children)
    assert "0050000" in text
    assert looks(gateway) == []
    for role in (Role.OPERATOR, Role.ADMINISTRATOR):
        client = signed_in(gateway, role)
        form = {"csrf": token(client, "/console/reconciliation"), "what": "late", "purpose": "x"}
        assert client.post(f"{PAGE}/list", data=form).status_code == 403


def test_nothing_is_told_in_both_languages(gateway: Gateway) -> None:
    client = signed_in(gateway, Role.DPO)
    assert "šodien neviena bērna iestādē nav" in client.get(PAGE).text
    assert "Šajā sarakstā neviena nav." in opened(client, "late").text
    client.set_cookie("language", "en", path="/console")
    assert "No child is in an institution today" in client.get(PAGE).text
    for what in ("week", "later", "stays", "alerts", "handovers"):
        assert "Nobody stands on this list." in opened(client, what).text


def test_a_list_is_opened_for_a_purpose_and_every_child_on_it_is_on_record(
    gateway: Gateway, children: list[str]
) -> None:
    late, week, later = children
    client = signed_in(gateway, Role.AUDITOR)
    without = opened(client, "late", "  ")
    assert (without.status_code, "Norādiet, kāpēc jautājat" in without.text) == (400, True)
    assert ESCAPED not in without.text
    assert looks(gateway) == []
    text = opened(client, "late", f"lieta {SCRIPT}").text
    assert ESCAPED in text
    assert SCRIPT not in text
    assert "Ierakstīts žurnālā" in text
    assert not any(code in text for code in children), "codes are shown where they are asked for"
    (look,) = looks(gateway)
    assert (look["act"], look["purpose"], look["list"], look["shown"]) == (
        "children calendar",
        "child-protection",
        "late",
        1,
    )
    assert look["values"] == {"official": "auditor-1", "reason": f"lieta {SCRIPT}", "subject": late}
    assert late in opened(client, "late", persons="1").text
    assert week in opened(client, "week", persons="1").text
    stays = opened(client, "stays", persons="1").text
    assert re.findall(r'<th scope="row" class="mono nowrap">([^<]+)', stays) == [late, week, later]
    assert looks(gateway)[-1]["values"]["subject"] == [late, week, later]  # type: ignore[index]
    other = opened(client, "stays", persons="1", municipality="0050000").text
    assert (week in other, late in other) == (True, False)


def test_a_list_goes_on_page_by_page(gateway: Gateway) -> None:
    codes = [person_code() for _ in range(51)]
    feed(gateway, *(ours(code, entered_on=months_ago(1)) for code in codes))
    client = signed_in(gateway, Role.AUDITOR)
    first = opened(client, "stays", persons="1")
    assert sum(code in first.text for code in codes) == 50
    assert 'name="page" value="2"' in first.text
    second = opened(client, "stays", persons="1", page="2")
    assert sum(code in second.text for code in codes) == 1
    assert "Šajā sarakstā neviena nav." in opened(client, "stays", page="9" * 6).text


def test_one_child_is_asked_by_its_code_by_post(gateway: Gateway, children: list[str]) -> None:
    client = signed_in(gateway, Role.DPO)
    wrong = opened(client, "child", person_code="123")
    assert (wrong.status_code, "nav personas kods" in wrong.text) == (400, True)
    assert looks(gateway) == []
    text = opened(client, "child", person_code=children[0].replace("-", "")).text
    assert children[0] in text
    assert text.count("nokavēts") >= 2
    unknown = person_code()
    assert "Šajā sarakstā neviena nav." in opened(client, "child", person_code=unknown).text
    assert [look["values"]["subject"] for look in looks(gateway)] == [children[0], unknown]  # type: ignore[index]


def alerts(gateway: Gateway) -> list[uuid.UUID]:
    """Those that nobody took up."""
    with gateway.engine.begin() as connection:
        return [row.id for row in child_alerts.kept(connection) if row.acknowledged_on is None]


def test_alerts_are_taken_up_once_all_or_none(gateway: Gateway, children: list[str]) -> None:
    client = signed_in(gateway, Role.DPO)
    text = opened(client, "alerts").text
    ticked = re.findall(r'name="(row:[^"]+)"', text)
    assert len(ticked) == len(alerts(gateway)) > 1
    form = {"csrf": token(client, PAGE), "reason": f"vēstule {SCRIPT}", ticked[0]: "1"}
    done = client.post(f"{PAGE}/acknowledge", data=form)
    assert (done.status_code, done.headers["Location"]) == (303, f"{PAGE}?done=acknowledged&number=1")
    assert "reģistrēti kā pārņemti: 1" in client.get(done.headers["Location"]).text
    assert len(alerts(gateway)) == len(ticked) - 1
    again = client.post(f"{PAGE}/acknowledge", data=form)
    assert (again.status_code, "kāds jau ir pārņēmis" in again.text) == (409, True)
    both = client.post(f"{PAGE}/acknowledge", data=form | {ticked[1]: "1"})
    assert (both.status_code, len(alerts(gateway))) == (409, len(ticked) - 1)
    (noted,) = acts(gateway, "children acknowledge")
    assert (noted["at"], noted["role"], noted["purpose"]) == ("console", "dpo", "child-protection")
    assert noted["alerts"] == [ticked[0].removeprefix("row:")]
    values = noted["values"]
    assert (values["official"], values["reason"]) == ("dpo-1", f"vēstule {SCRIPT}")
    assert values["subject"] in children
    assert "account" not in values


@pytest.mark.usefixtures("children")
def test_what_is_unfinished_or_forged_notes_nothing_and_is_told(gateway: Gateway) -> None:
    client, other = signed_in(gateway, Role.DPO), signed_in(gateway, Role.DPO)
    alert = alerts(gateway)[0]
    before = len(alerts(gateway))
    form = {"csrf": token(client, PAGE), "reason": "r", f"row:{alert}": "1"}
    for forged in ("", token(other, PAGE)):
        for page in ("acknowledge", "list"):
            answer = client.post(
                f"{PAGE}/{page}", data=form | {"csrf": forged, "what": "late", "purpose": "x"}
            )
            assert (answer.status_code, "Veidlapa nav no šīs sesijas" in answer.text) == (403, True)
    for left, words in (
        ({"reason": "r"}, "Vispirms atzīmējiet brīdinājumus"),
        ({f"row:{alert}": "1"}, "Norādiet, kāpēc tā izlemjat"),
    ):
        answer = client.post(f"{PAGE}/acknowledge", data={"csrf": form["csrf"], **left})
        assert (answer.status_code, words in answer.text) == (400, True)
    unknown = opened(client, "everything")
    assert (unknown.status_code, "kurš saraksts jāatver" in unknown.text) == (400, True)
    auditor = signed_in(gateway, Role.AUDITOR)
    answer = auditor.post(f"{PAGE}/acknowledge", data=form | {"csrf": token(auditor, PAGE)})
    assert answer.status_code == 403
    assert "Atzīmētos reģistrēt" not in opened(auditor, "alerts").text
    assert len(alerts(gateway)) == before
    assert acts(gateway, "children acknowledge") == []
    assert client.get(f"{PAGE}/list").headers["Location"] == PAGE


def test_a_report_that_was_received_is_noted_once(gateway: Gateway, tmp_path: Path) -> None:
    of = person_code()
    feed(gateway, ours(of, entered_on=months_ago(7)), told_of(of, months_ago(7), months_ago(5)))
    acting = Acting(Environment.TEST, "tests", "tests")
    child_reports.prepare(gateway.engine, gateway.log, acting, today_in_riga())
    child_reports.hand_over(gateway.engine, gateway.log, acting, tmp_path)
    client = signed_in(gateway, Role.DPO)
    text = opened(client, "handovers").text
    assert of not in text
    assert looks(gateway)[-1]["values"]["subject"] == of  # type: ignore[index]
    (handover,) = re.findall(r'name="handover" value="([^"]+)"', text)
    form = {"csrf": token(client, PAGE), "reason": "e-pasts", "handover": handover}
    answers = [client.post(f"{PAGE}/received", data=form) for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 409]
    assert "nekas netika reģistrēts" in answers[1].text
    assert "sociālais dienests ziņojumu ir saņēmis" in client.get(answers[0].headers["Location"]).text
    (noted,) = acts(gateway, "children report acknowledged")
    assert (noted["at"], noted["values"]["subject"]) == ("console", of)
    assert of not in json.dumps({name: value for name, value in noted.items() if name != "values"})
    with gateway.engine.begin() as connection:
        assert report_handovers.listed(connection, (HandoverState.HANDED_OVER,)) == []
    assert client.post(f"{PAGE}/received", data=form | {"handover": ""}).status_code == 400

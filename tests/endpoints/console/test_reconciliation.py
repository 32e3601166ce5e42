"""Differences on the console: counted for all, opened for a purpose, decided by one role, each act on record once."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from werkzeug.test import Client, TestResponse

import registers
from endpoints.console.roles import Role
from gateway import Gateway
from registers import corrections, differences
from registers.differences import State
from registers.persons import IDENTITY
from tests.endpoints.console.deciding import ESCAPED, SCRIPT, opened_by, statuses, token
from tests.endpoints.console.gateways import acts, own_gateway
from tests.endpoints.console.signing_in import csrf_of, signed_in
from tests.registers.invented import person_code, provenance
from tests.registers.test_comparing import PMLP
from tests.registers.test_differences import compare, current, renamed
from tests.registers.test_persons import full

LIST = "/console/reconciliation"
OURS, THEIRS = "Bērziņa", f"Cita {SCRIPT}"
WHY = "pase uzrādīta"


@pytest.fixture
def gateway(api_keys: Path, database: str, tmp_path: Path) -> Iterator[Gateway]:
    shutil.copytree(api_keys / "keys", tmp_path / "keys")
    with own_gateway(tmp_path, database) as made:
        yield made


@dataclass(frozen=True)
class Found:
    """A difference of a person's family name, and who it is about."""

    gateway: Gateway
    id: uuid.UUID
    code: str

    @property
    def page(self) -> str:
        return f"{LIST}/{self.id}"

    def opened(self, client: Client, purpose: str = "lieta 2026/114") -> TestResponse:
        form = {"csrf": token(client, LIST), "purpose": purpose}
        return client.post(self.page, data=form)

    def decided(self, client: Client, act: str, **more: str) -> TestResponse:
        """The form of the page as it is now, sent."""
        text = self.opened(client).text
        (seen,) = re.findall(r'name="seen" value="([^"]*)"', text)
        form = {"csrf": csrf_of(text), "seen": seen, "reason": WHY, "act": act, **more}
        return client.post(f"{self.page}/decide", data=form)

    @property
    def state(self) -> tuple[str, str | None]:
        with self.gateway.engine.connect() as connection:
            row = differences.one(connection, self.id)
        return row.state, row.decision

    @property
    def name(self) -> str:
        with self.gateway.engine.connect() as connection:
            (row,) = current(connection, IDENTITY, self.code)
        return str(row.family_name)


@pytest.fixture
def found(gateway: Gateway) -> Found:
    return difference(gateway)


def difference(gateway: Gateway) -> Found:
    """A person whose family name PMLP says otherwise."""
    code = person_code()
    with gateway.engine.begin() as connection:
        registers.feed(connection, full(code), provenance())
        compare(connection, renamed(code, THEIRS), code, comparison=PMLP)
        rows = differences.listed(connection, limit=1000)
    return Found(gateway, max(row.id for row in rows), code)


def test_all_see_counts_and_those_alone_the_list_who_may_open_it(gateway: Gateway, found: Found) -> None:
    assert set(statuses(gateway, LIST).values()) == {200}
    assert statuses(gateway, found.page) == opened_by(Role.DPO, Role.AUDITOR)
    for role in Role:
        text = signed_in(gateway, role).get(LIST).text
        assert re.search(r"<dt>Jāizlemj</dt>\s*<dd>1<", text)
        assert (str(found.id) in text) == (role in (Role.DPO, Role.AUDITOR))
        assert not any(part in text for part in (found.code, found.code.replace("-", ""), OURS, "Cita"))
    looks = acts(gateway, "reconcile list")
    assert {look["role"] for look in looks} == {"dpo", "auditor"}
    assert {(look["purpose"], look["differences"], look["values"]["official"]) for look in looks} <= {
        ("reconciliation", 1, "dpo-1"),
        ("reconciliation", 1, "auditor-1"),
    }


def test_no_difference_is_told_in_both_languages(gateway: Gateway) -> None:
    client = signed_in(gateway, Role.DPO)
    assert "Šādā stāvoklī nav nevienas nesakritības." in client.get(LIST).text
    client.set_cookie("language", "en", path="/console")
    assert "No difference is in this state." in client.get(f"{LIST}?state=settled&system=pmlp").text
    assert client.get(f"{LIST}?state=nothing&after=nothing").status_code == 200


def test_it_is_filtered_and_paged(gateway: Gateway, found: Found) -> None:
    second = difference(gateway)
    client = signed_in(gateway, Role.AUDITOR)
    first, later = sorted((found.id, second.id))
    text = client.get(f"{LIST}?after={first}").text.partition("<tbody>")[2]
    assert (str(first) in text, str(later) in text) == (False, True)
    assert str(first) not in client.get(f"{LIST}?system=vzd").text
    assert str(first) not in client.get(f"{LIST}?state=decided").text


def test_one_is_opened_for_a_purpose_that_is_on_record_first(gateway: Gateway, found: Found) -> None:
    client = signed_in(gateway, Role.AUDITOR)
    closed = client.get(found.page).text
    assert not any(part in closed for part in (found.code, OURS, "Cita"))
    assert "pmlp" in closed
    without = found.opened(client, "   ")
    assert (without.status_code, "Norādiet, kāpēc jautājat" in without.text) == (400, True)
    assert not any(part in without.text for part in (found.code, OURS, "Cita"))
    assert acts(gateway, "reconcile show") == []
    text = found.opened(client, f"lieta 7 {SCRIPT}").text
    assert "Ierakstīts žurnālā" in text
    assert all(part in text for part in (found.code, OURS, f"Cita {ESCAPED}"))
    assert SCRIPT not in text
    (look,) = acts(gateway, "reconcile show")
    assert (look["name"], look["purpose"]) == (str(found.id), "reconciliation")
    assert (look["differences"], look["fields"]) == ([str(found.id)], ["pmlp family_name"])
    assert look["values"] == {
        "official": "auditor-1",
        "reason": f"lieta 7 {SCRIPT}",
        "subject": found.code,
    }
    missing = client.post(f"{LIST}/{uuid.uuid4()}", data={"csrf": token(client, LIST), "purpose": "x"})
    assert missing.status_code == 404


def test_the_data_protection_officer_alone_decides(gateway: Gateway, found: Found) -> None:
    for role in (Role.AUDITOR, Role.OPERATOR, Role.ADMINISTRATOR):
        client = signed_in(gateway, role)
        form = {"csrf": token(client, LIST), "seen": "open", "reason": WHY, "act": "take"}
        assert client.post(f"{found.page}/decide", data=form).status_code == 403
    assert "Pārņemt no avota" not in found.opened(signed_in(gateway, Role.AUDITOR)).text
    assert (found.state, found.name) == (("open", None), OURS)


def test_theirs_is_taken_and_taken_back(gateway: Gateway, found: Found) -> None:
    client = signed_in(gateway, Role.DPO)
    done = found.decided(client, "take")
    assert (done.status_code, done.headers["Location"]) == (303, f"{found.page}?done=take")
    told = client.get(done.headers["Location"]).text
    assert "reģistrā tagad ir tas, ko saka avots" in told
    assert not any(part in told for part in (found.code, OURS, "Cita")), (
        "what was decided is told, not about whom"
    )
    assert (found.state, found.name) == (("decided", "take"), THEIRS)
    assert found.decided(client, "undo").status_code == 303
    assert (found.state, found.name) == (("open", None), OURS)
    assert found.decided(client, "keep").status_code == 303
    assert (found.state, found.name) == (("decided", "keep"), OURS)
    recorded = [
        one for one in acts(gateway, "reconcile") if one["act"].split()[1] in ("take", "undo", "keep")
    ]
    assert [one["act"] for one in recorded] == ["reconcile take", "reconcile undo", "reconcile keep"]
    assert all(one["differences"] == [str(found.id)] for one in recorded)
    assert recorded[0]["values"] == {"official": "dpo-1", "reason": WHY, "subject": found.code}
    text = found.opened(client).text
    assert all(part in text for part in ("pārņemts no avota", "lēmums atsaukts", "dpo-1", WHY))


def test_it_is_returned_handed_over_and_answered(gateway: Gateway, found: Found) -> None:
    client = signed_in(gateway, Role.DPO)
    assert found.decided(client, "return").headers["Location"].endswith("?done=return")
    assert found.state == ("returned", None)
    (file,) = (gateway.settings.state / "corrections" / "pmlp").glob("*.json")
    assert found.code in file.read_text("utf-8")
    sent = acts(gateway, "reconcile sent")
    assert [(one["to"], one["way"]) for one in sent] == [("pmlp", "folder")]
    refused = found.decided(client, "answered refused")
    assert (refused.status_code, found.state) == (303, ("open", None))
    told = client.get(refused.headers["Location"]).text
    assert "avots uzskata, ka tā dati ir pareizi" in told
    assert [one["act"] for one in acts(gateway, "reconcile answered")] == ["reconcile answered refused"]


def test_a_request_that_cannot_be_handed_over_waits(gateway: Gateway, found: Found) -> None:
    (gateway.settings.state / "corrections").write_text("a file where a folder would be")
    client = signed_in(gateway, Role.DPO)
    told = client.get(found.decided(client, "return").headers["Location"]).text
    assert "gateway reconcile hand-over" in told
    with gateway.engine.connect() as connection:
        assert len(corrections.prepared(connection)) == 1
    assert acts(gateway, "reconcile sent") == []


def test_what_is_sent_twice_or_from_a_stale_page_changes_nothing(gateway: Gateway, found: Found) -> None:
    client = signed_in(gateway, Role.DPO)
    form = {"csrf": token(client, LIST), "seen": "open", "reason": WHY, "act": "keep"}
    answers = [client.post(f"{found.page}/decide", data=form) for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 409]
    assert "par šo nesakritību kāds ir izlēmis" in answers[1].text
    # Somebody decides otherwise meanwhile: what would have been undone is not what was seen.
    assert found.decided(client, "undo").status_code == 303
    assert found.decided(client, "take").status_code == 303
    stale = client.post(f"{found.page}/decide", data=form | {"seen": "decided keep", "act": "undo"})
    assert (stale.status_code, found.state, found.name) == (409, ("decided", "take"), THEIRS)
    assert len([one for one in acts(gateway, "reconcile") if one["act"] == "reconcile undo"]) == 1


def test_what_a_later_comparison_settled_is_not_decided(gateway: Gateway, found: Found) -> None:
    client = signed_in(gateway, Role.DPO)
    with gateway.engine.begin() as connection:
        compare(connection, full(found.code), found.code, 80)
    form = {"csrf": token(client, LIST), "seen": "open", "reason": WHY, "act": "take"}
    assert client.post(f"{found.page}/decide", data=form).status_code == 409
    assert (found.state, found.name) == ((State.SETTLED.value, None), OURS)


def test_a_forged_or_unfinished_form_changes_nothing_and_is_told(gateway: Gateway, found: Found) -> None:
    client, other = signed_in(gateway, Role.DPO), signed_in(gateway, Role.DPO)
    form = {"csrf": token(client, LIST), "seen": "open", "reason": WHY, "act": "take"}
    for forged in ("", token(other, LIST)):
        answer = client.post(f"{found.page}/decide", data=form | {"csrf": forged})
        assert (answer.status_code, "Veidlapa nav no šīs sesijas" in answer.text) == (403, True)
        closed = client.post(found.page, data={"csrf": forged, "purpose": "x"})
        assert (closed.status_code, found.code in closed.text) == (403, False)
    for change, words in (
        ({"reason": " "}, "Norādiet, kāpēc tā izlemjat"),
        ({"reason": "x" * 501}, "ne vairāk kā 500"),
        ({"act": "delete"}, "Norādiet, kas jādara"),
        ({"act": "waits"}, "Norādiet, kas jādara"),
    ):
        answer = client.post(f"{found.page}/decide", data=form | change)
        assert (answer.status_code, words in answer.text) == (400, True)
    unasked = client.post(f"{found.page}/decide", data=form | {"act": "answered corrected"})
    assert (unasked.status_code, "tagad to izdarīt nevar" in unasked.text) == (409, True)
    assert (found.state, found.name) == (("open", None), OURS)
    assert {one["act"] for one in acts(gateway, "reconcile")} == {"reconcile list"}

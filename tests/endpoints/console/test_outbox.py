"""Deliveries on the console: seen without persons, decided by operators, each row once and on record."""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from werkzeug.test import Client

from endpoints.console.roles import Role
from exchange import new_id
from gateway import Gateway
from routing import interventions, outbox
from routing.outbox import Settled, State
from tests.endpoints.console.deciding import ESCAPED, SCRIPT, opened_by, statuses, token
from tests.endpoints.console.gateways import acts, own_gateway
from tests.endpoints.console.signing_in import signed_in
from tests.steps.wired import arrive, stay

LIST = "/console/outbox"
CODES = ("321234-56789", "321234-56797", "321234-56805")


@pytest.fixture
def gateway(api_keys: Path, database: str) -> Iterator[Gateway]:
    with own_gateway(api_keys, database) as made:
        yield made


@pytest.fixture
def dead(gateway: Gateway) -> list[str]:
    """Three messages that were given up."""
    return [queued(gateway, code, State.DEAD) for code in CODES]


def queued(gateway: Gateway, code: str, state: State, *, unclear: bool = False) -> str:
    """A message about somebody that came into a state."""
    assert arrive(gateway, stay(person_code=code)).status == 200
    with gateway.engine.begin() as connection:
        (row,) = outbox.listed(connection, states=[State.WAITING])
        lease = outbox.take(connection, "holder", seconds=60, only=row.id)
        assert lease is not None
        outbox.settle(connection, lease, Settled(state, "system_timeout", pause=900, unclear=unclear))
    return str(row.id)


def found(gateway: Gateway, exchange: str) -> outbox.Row:
    with gateway.engine.connect() as connection:
        return outbox.find(connection, uuid.UUID(exchange))


def confirmed(client: Client, csrf: str, act: str, *exchanges: str) -> str:
    """The page that asks once more."""
    ticked = {f"row:{one}": "" for one in exchanges}
    answer = client.post(f"{LIST}/confirm", data={"csrf": csrf, "act": act, **ticked})
    assert answer.status_code == 200
    return answer.text


def form_of(page: str) -> dict[str, str]:
    """What the form of confirmation sends, without a reason."""
    names = ("csrf", "act", 'row:[^"]+')
    return dict(re.findall(f'name="({"|".join(names)})" value="([^"]*)"', page.partition("outbox/decide")[2]))


def test_operators_and_auditors_look_and_operators_alone_decide(gateway: Gateway, dead: list[str]) -> None:
    looks = opened_by(Role.OPERATOR, Role.AUDITOR)
    assert statuses(gateway, LIST) == looks
    assert statuses(gateway, f"{LIST}/{dead[0]}") == looks
    for role in (Role.AUDITOR, Role.DPO, Role.ADMINISTRATOR):
        client = signed_in(gateway, role)
        csrf = token(client, LIST)
        for page in ("confirm", "decide"):
            ticked = {f"row:{dead[0]}": interventions.mark(found(gateway, dead[0]))}
            form = {"csrf": csrf, "act": "park", "reason": "x", **ticked}
            assert client.post(f"{LIST}/{page}", data=form).status_code == 403
    assert "Piegādāt vēlreiz…" not in signed_in(gateway, Role.AUDITOR).get(LIST).text
    assert found(gateway, dead[0]).state is State.DEAD
    assert acts(gateway, "outbox") == []


def test_an_empty_outbox_is_told_in_both_languages(gateway: Gateway) -> None:
    client = signed_in(gateway, Role.OPERATOR)
    assert "Šeit nekas negaida." in client.get(LIST).text
    client.set_cookie("language", "en", path="/console")
    text = client.get(LIST).text
    assert "Nothing waits here." in text
    assert '<html lang="en">' in text


def test_rows_are_filtered_and_counted_and_name_no_person(gateway: Gateway, dead: list[str]) -> None:
    parked = queued(gateway, "321234-56813", State.PARKED)
    client = signed_in(gateway, Role.OPERATOR)
    text = client.get(LIST).text
    assert all(one in text for one in (*dead, parked))
    assert not any(code in text or code.replace("-", "") in text for code in (*CODES, "321234-56813"))
    assert re.findall(r"<dt>(Pārtraukti|Atlikti)</dt>\s*<dd>(\d+)", text) == [
        ("Pārtraukti", "3"),
        ("Atlikti", "1"),
    ]
    text = client.get(f"{LIST}?state=parked&system=sais").text
    assert parked in text
    assert not any(one in text for one in dead)
    assert "Šeit nekas negaida." in client.get(f"{LIST}?system=pmlp").text
    assert dead[0] in client.get(f"{LIST}?state=no-such-state&after=no-id").text


def test_pages_go_on_where_the_one_before_ended(gateway: Gateway) -> None:
    ids = [new_id() for _ in range(51)]
    with gateway.engine.begin() as connection:
        for one in ids:
            outbox.put(connection, one, ("sais", "NotifyCareStay"), give_up_after=timedelta(hours=1))
    client = signed_in(gateway, Role.AUDITOR)
    text = client.get(f"{LIST}?state=waiting").text
    assert [str(one) in text for one in ids] == [True] * 50 + [False]
    (later,) = re.findall(r'href="([^"]+)">Nākamie', text)
    text = client.get(html.unescape(later)).text
    assert [str(one) in text.partition("<tbody>")[2] for one in ids] == [False] * 50 + [True]
    assert ("Uz sākumu" in text, "Nākamie" in text) == (True, False)


def test_one_row_shows_its_records_and_no_person(gateway: Gateway, dead: list[str]) -> None:
    text = signed_in(gateway, Role.AUDITOR).get(f"{LIST}/{dead[0]}").text
    assert "system_timeout" in text
    assert text.count('<th scope="row">') == 2, "what was opened, and that it was queued"
    assert CODES[0] not in text
    client = signed_in(gateway, Role.AUDITOR)
    missing = client.get(f"{LIST}/{uuid.uuid4()}")
    assert (missing.status_code, "Tāda nav." in missing.text) == (404, True)
    assert client.get(f"{LIST}/no-id").status_code == 404


def test_several_are_replayed_after_a_page_that_asks(gateway: Gateway, dead: list[str]) -> None:
    client = signed_in(gateway, Role.OPERATOR)
    page = confirmed(client, token(client, LIST), "replay", *dead[:2])
    assert {found(gateway, one).state for one in dead} == {State.DEAD}, "asking changes nothing"
    form = form_of(page)
    wanting = client.post(f"{LIST}/decide", data=form | {"reason": "  "})
    assert (wanting.status_code, "Norādiet, kāpēc tā izlemjat" in wanting.text) == (400, True)
    assert acts(gateway, "outbox") == []
    done = client.post(f"{LIST}/decide", data=form | {"reason": f"traucējums beidzies {SCRIPT}"})
    assert (done.status_code, done.headers["Location"]) == (303, f"{LIST}?done=replay&changed=2")
    assert "Ziņojumi, kas tiek piegādāti vēlreiz: 2" in client.get(done.headers["Location"]).text
    assert [found(gateway, one).state.value for one in dead] == ["waiting", "waiting", "dead"]
    recorded = acts(gateway, "outbox")
    assert {one["exchange"] for one in recorded} == set(dead[:2])
    assert [(one["act"], one["system"], one["from"]) for one in recorded] == [
        ("outbox replay", "sais", "dead")
    ] * 2
    assert (recorded[0]["at"], recorded[0]["role"]) == ("console", "operator")
    assert recorded[0]["values"] == {
        "official": "operator-1",
        "reason": f"traucējums beidzies {SCRIPT}",
    }


def test_a_form_that_is_sent_twice_acts_once(gateway: Gateway, dead: list[str]) -> None:
    client = signed_in(gateway, Role.OPERATOR)
    form = form_of(confirmed(client, token(client, LIST), "replay", dead[0]))
    assert client.post(f"{LIST}/decide", data=form | {"reason": "viens"}).status_code == 303
    again = client.post(f"{LIST}/decide", data=form | {"reason": "divi"})
    assert again.status_code == 409
    assert "ziņojuma stāvoklis ir mainījies" in again.text
    assert dead[0] in again.text
    assert len(acts(gateway, "outbox")) == 1


def test_what_waits_and_is_replayed_twice_acts_once_too(gateway: Gateway) -> None:
    waiting = queued(gateway, CODES[0], State.WAITING)
    client = signed_in(gateway, Role.OPERATOR)
    form = form_of(confirmed(client, token(client, LIST), "replay", waiting)) | {"reason": "r"}
    assert [client.post(f"{LIST}/decide", data=form).status_code for _ in range(2)] == [303, 409]
    assert len(acts(gateway, "outbox")) == 1


def test_a_stale_page_changes_nothing_and_the_others_go_on(gateway: Gateway, dead: list[str]) -> None:
    client = signed_in(gateway, Role.OPERATOR)
    form = form_of(confirmed(client, token(client, LIST), "park", *dead))
    with gateway.engine.begin() as connection:
        delivered = outbox.outbox.c.id == uuid.UUID(dead[0])
        connection.execute(update(outbox.outbox).where(delivered).values(state="delivered"))
    told = client.post(f"{LIST}/decide", data=form | {"reason": "kļūda"})
    assert told.status_code == 409
    assert "Atlikti ziņojumi: 2" in told.text
    assert [found(gateway, one).state.value for one in dead] == ["delivered", "parked", "parked"]
    assert {one["exchange"] for one in acts(gateway, "outbox park")} == set(dead[1:])


def test_a_forged_form_changes_nothing_and_is_told(gateway: Gateway, dead: list[str]) -> None:
    client, other = signed_in(gateway, Role.OPERATOR), signed_in(gateway, Role.OPERATOR)
    form = form_of(confirmed(client, token(client, LIST), "park", dead[0])) | {"reason": "x"}
    for forged in ("", "0", token(other, LIST)):
        answer = client.post(f"{LIST}/decide", data=form | {"csrf": forged})
        assert answer.status_code == 403
        assert "Veidlapa nav no šīs sesijas" in answer.text
    assert found(gateway, dead[0]).state is State.DEAD
    assert acts(gateway, "outbox") == []


def test_a_second_effect_is_ruled_out_first(gateway: Gateway) -> None:
    risky = queued(gateway, CODES[0], State.UNKNOWN, unclear=True)
    with gateway.engine.begin() as connection:  # of an operation that nobody knows nothing can be said
        connection.execute(update(outbox.outbox).values(operation=SCRIPT))
    client = signed_in(gateway, Role.OPERATOR)
    page = confirmed(client, token(client, LIST), "replay", risky)
    assert "varbūt jau ir iedarbojies" in page
    assert ESCAPED in page
    assert SCRIPT not in page
    form = form_of(page) | {"reason": "VSAA to nezina"}
    refused = client.post(f"{LIST}/decide", data=form)
    assert (refused.status_code, "otrreizēja iedarbība ir izslēgta" in refused.text) == (400, True)
    assert found(gateway, risky).state is State.UNKNOWN
    assert client.post(f"{LIST}/decide", data=form | {"even_twice": "1"}).status_code == 303
    assert (found(gateway, risky).state, found(gateway, risky).unclear) == (State.WAITING, False)


def test_what_was_overtaken_goes_with_leave_alone(gateway: Gateway) -> None:
    first = queued(gateway, CODES[0], State.PARKED)
    with gateway.engine.begin() as connection:  # a later message about the same person, which is under way
        about = outbox.find(connection, uuid.UUID(first)).subject_order
        later = new_id()
        outbox.put(
            connection,
            later,
            ("sais", "NotifyCareStay"),
            give_up_after=timedelta(hours=1),
            subject_order=about,
        )
        assert outbox.take(connection, "holder", seconds=60, only=later) is not None
    client = signed_in(gateway, Role.OPERATOR)
    page = confirmed(client, token(client, LIST), "replay", first)
    assert "vēlāks ziņojums par to pašu personu jau nosūtīts" in page
    form = form_of(page) | {"reason": "tomēr"}
    told = client.post(f"{LIST}/decide", data=form)
    assert (told.status_code, "vēlāks ziņojums par to pašu personu ir piegādāts" in told.text) == (409, True)
    assert client.post(f"{LIST}/decide", data=form | {"out_of_order": "1"}).status_code == 303
    assert found(gateway, first).state is State.WAITING


def test_nothing_ticked_or_no_act_is_told(gateway: Gateway, dead: list[str]) -> None:
    client = signed_in(gateway, Role.OPERATOR)
    csrf = token(client, LIST)
    for form in ({"act": "park"}, {"act": "delete", f"row:{dead[0]}": ""}, {"act": "park", "row:x": ""}):
        for page in ("confirm", "decide"):
            answer = client.post(f"{LIST}/{page}", data={"csrf": csrf, "reason": "r", **form})
            assert (answer.status_code, "Vispirms atzīmējiet ziņojumus" in answer.text) == (400, True)
    unknown = client.post(
        f"{LIST}/decide", data={"csrf": csrf, "act": "park", "reason": "r", f"row:{uuid.uuid4()}": ""}
    )
    assert (unknown.status_code, "rindā vairs nav" in unknown.text) == (409, True)

"""Each way of misbehaving, as a client sees it on the wire, and what the journal says of it."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
import requests

from errors import SchemaViolation, SignatureInvalid, Unsigned
from security.xml import canonical, parse
from simulators.control import Mode
from simulators.households import Slot
from simulators.population import Population
from simulators.service import NO_SUCH_CODE
from tests.simulators.calls import SOAP, Client, Values, code, fault_code, texts
from tests.simulators.conftest import PERSONS, SEED, Journal

POPULATION = Population(PERSONS, SEED)
MOTHER = POPULATION.person(Slot.MOTHER).code
Start = Callable[[str], Client]

CALLS: list[tuple[str, str, Values]] = [
    ("pmlp", "GetPerson", {"PersonasKods": MOTHER, "DatuKopas": {"DatuKopa": [code("NAME_AND_CODE")]}}),
    ("vdeavk", "GetDisability", {"PersonasKods": MOTHER, "Datums": "2026-01-01"}),
    ("sais", "GetPayments", {"PersonasKods": MOTHER, "NoMenesa": "2026-01", "LidzMenesim": "2026-01"}),
    ("npais", "GetDecisions", {"PersonasKods": MOTHER}),
    ("npais", "GetDecisions", {"KopsDatuma": "2030-01-01"}),
    ("npais", "GetChildPlacement", {"PersonasKods": MOTHER}),
    ("vzd", "ResolveCode", {"AdresesKods": "101003948"}),
    ("vzd", "SearchAddress", {"Teksts": "tādas nav", "Skaits": "5"}),
    (
        "pmlp",
        "GetPersonSet",
        {"PersonasKodi": {"PersonasKods": MOTHER}, "DatuKopas": {"DatuKopa": [code("NAME_AND_CODE")]}},
    ),
    ("pmlp", "GetChanges", {"KopsDatuma": "2030-01-01"}),
    (
        "vzd",
        "GetChildren",
        {"AdresesKods": "101003948", "ArIzbeigtiem": "false", "Skaits": "5", "Izlaist": "0"},
    ),
    ("vzd", "GetHistory", {"AdresesKods": "101003948"}),
]
WITHOUT_CODES: list[tuple[str, str, Values]] = [("vdeavk", "GetChanges", {"KopsDatuma": "2030-01-01"})]
EVERY_CALL = pytest.mark.parametrize(("system", "operation", "arguments"), CALLS + WITHOUT_CODES)
EVERY_CALL_WITH_CODES = pytest.mark.parametrize(("system", "operation", "arguments"), CALLS)
GET_PERSON = CALLS[0][1], CALLS[0][2]


def request(client: Client, message_id: str | None = None) -> bytes:
    """A signed request for the person of these tests."""
    return client.sign(client.envelope(*GET_PERSON, message_id=message_id))


def last(journal: Journal) -> tuple[str | None, str | None]:
    """Effect and answer of the last line."""
    line = journal.lines()[-1]
    return line["effect"], line["answered"]


def test_the_journal_says_what_was_seen_before_the_answer_is_there(start: Start, journal: Journal) -> None:
    pmlp = start("pmlp")
    message_id = f"urn:uuid:{uuid.uuid4()}"
    content = request(pmlp, message_id)
    pmlp.verify(pmlp.post(content))
    (line,) = journal.lines()
    body = parse(content).find(f"{{{SOAP}}}Body")
    assert list(line) == [
        "instant", "system", "operation", "message_id", "request_id", "body_sha256", "effect", "answered",
    ]  # fmt: skip
    assert line["system"] == "pmlp"
    assert line["operation"] == "GetPerson"
    assert line["message_id"] == message_id
    assert line["request_id"] == "018f0000-0000-7000-8000-0123456789ab"
    assert line["body_sha256"] == hashlib.sha256(canonical(body)).hexdigest()
    assert (line["effect"], line["answered"]) == ("read:GetPerson", "ok")
    assert str(line["instant"]).endswith("Z")


def test_slow_is_right_but_late(start: Start, journal: Journal) -> None:
    pmlp = start("pmlp")
    pmlp.misbehave(mode="slow", delay_ms=300)
    began = time.monotonic()
    pmlp.verify(pmlp.post(request(pmlp)))
    assert time.monotonic() - began >= 0.3
    assert last(journal) == ("read:GetPerson", "slow")
    with pytest.raises(requests.ReadTimeout):
        pmlp.post(request(pmlp), timeout=0.15)
    until = time.monotonic() + 30
    while len(journal.lines()) < 2:  # it is read, answered or not
        assert time.monotonic() < until
        time.sleep(0.01)


NOTICE: Values = {
    "PersonasKods": MOTHER,
    "Veids": code("ENTER"),
    "IestasanasDatums": "2026-02-03",
    "FinansejumaAvots": code("STATE"),
    "Institucija": {
        "Nosaukums": "VSAC “Ozoli”",
        "Adrese": "Ozolu iela 1, Valmiera",
        "Regions": "Vidzeme",
        "Veids": code("STATE_CARE_CENTRE"),
    },
}


def test_an_effect_comes_late_and_without_its_caller(start: Start, journal: Journal) -> None:
    sais = start("sais")
    message_id = f"urn:uuid:{uuid.uuid4()}"

    def known() -> list[str]:
        return texts(sais.call("GetCareStayNotice", {"ZinojumaId": message_id}), "Apstradats")

    sais.misbehave(mode="late_effect", delay_ms=1500)
    with pytest.raises(requests.ReadTimeout):
        sais.post(sais.sign(sais.envelope("NotifyCareStay", NOTICE, message_id=message_id)), timeout=0.3)
    assert known() == ["false"], "who asks at once hears that there is no effect"
    until = time.monotonic() + 30
    while known() == ["false"]:
        assert time.monotonic() < until
        time.sleep(0.1)
    told = [(line["operation"], line["effect"]) for line in journal.lines() if line["effect"] != "none"]
    assert told.count(("NotifyCareStay", "write:NotifyCareStay")) == 1


def test_refuse_resets_before_the_request_is_read(start: Start, journal: Journal) -> None:
    pmlp = start("pmlp")
    pmlp.misbehave(mode="refuse", count=1)
    with pytest.raises(requests.ConnectionError):
        pmlp.post(request(pmlp))
    line = journal.lines()[-1]
    assert (line["operation"], line["message_id"], line["body_sha256"]) == (None, None, None)
    assert last(journal) == ("none", "refuse")
    pmlp.verify(pmlp.post(request(pmlp)))


def test_fault_is_a_signed_server_fault(start: Start, journal: Journal) -> None:
    pmlp = start("pmlp")
    pmlp.misbehave(mode="fault")
    message_id = f"urn:uuid:{uuid.uuid4()}"
    response = pmlp.post(request(pmlp, message_id))
    verified = pmlp.verify(response)
    assert response.status_code == 500
    assert verified.relates_to == message_id
    assert fault_code(verified.body[0]) == "IEKSEJA_KLUDA"
    assert "Server" in (verified.body[0].findtext("faultcode") or "")
    assert last(journal) == ("none", "fault")


def test_html_is_no_soap(start: Start, journal: Journal) -> None:
    pmlp = start("pmlp")
    pmlp.misbehave(mode="html")
    response = pmlp.post(request(pmlp))
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")
    assert last(journal) == ("none", "html")


def _raw(client: Client, content: bytes) -> socket.socket:
    parts = urlsplit(client.url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=5)
    head = f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {len(content)}\r\n\r\n"
    connection.sendall(head.encode() + content)
    return connection


def test_half_announces_all_and_sends_half(start: Start, journal: Journal) -> None:
    pmlp = start("pmlp")
    pmlp.misbehave(mode="half")
    with _raw(pmlp, request(pmlp)) as connection:
        received = b""
        while part := connection.recv(65536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    announced = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert len(body) == announced // 2 > 0
    assert last(journal) == ("read:GetPerson", "half")


def test_reset_is_a_reset_after_the_request_was_served(start: Start, journal: Journal) -> None:
    pmlp = start("pmlp")
    pmlp.misbehave(mode="reset")
    with _raw(pmlp, request(pmlp)) as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    assert last(journal) == ("read:GetPerson", "reset")


def test_hang_never_answers_and_ends_with_the_client(start: Start, journal: Journal) -> None:
    pmlp = start("pmlp")
    pmlp.misbehave(mode="hang")
    threads = threading.active_count()
    with _raw(pmlp, request(pmlp)) as connection:
        connection.settimeout(0.4)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        assert last(journal) == ("none", "hang")
    until = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < until:
        time.sleep(0.02)
    assert threading.active_count() <= threads


@EVERY_CALL
def test_wrong_signature_does_not_verify(
    start: Start, system: str, operation: str, arguments: Values
) -> None:
    client = start(system)
    client.misbehave(mode="wrong_signature")
    response = client.post(client.sign(client.envelope(operation, arguments)))
    with pytest.raises(SignatureInvalid):
        client.verify(response)


@EVERY_CALL
def test_unsigned_has_the_answer_without_a_signature(
    start: Start, system: str, operation: str, arguments: Values
) -> None:
    client = start(system)
    client.misbehave(mode="unsigned")
    response = client.post(client.sign(client.envelope(operation, arguments)))
    with pytest.raises(Unsigned):
        client.verify(response)
    client.contract.validate(parse(response.content).find(f"{{{SOAP}}}Body")[0])


@EVERY_CALL
def test_invalid_is_signed_and_breaks_the_schema(
    start: Start, system: str, operation: str, arguments: Values
) -> None:
    client = start(system)
    client.misbehave(mode="invalid")
    answer = client.call(operation, arguments)
    with pytest.raises(SchemaViolation):
        client.contract.validate(answer)


@EVERY_CALL_WITH_CODES
def test_unknown_code_passes_the_schema(start: Start, system: str, operation: str, arguments: Values) -> None:
    client = start(system)
    client.misbehave(mode="unknown_code")
    answer = client.call(operation, arguments)
    client.contract.validate(answer)
    assert [found.text for found in answer.iter("{*}Kods")].count(NO_SUCH_CODE) == 1


@EVERY_CALL
def test_other_answer_is_signed_and_about_something_else(
    start: Start, journal: Journal, system: str, operation: str, arguments: Values
) -> None:
    client = start(system)
    client.misbehave(mode="other_answer")
    message_id = f"urn:uuid:{uuid.uuid4()}"
    verified = client.verify(
        client.post(client.sign(client.envelope(operation, arguments, message_id=message_id)))
    )
    assert verified.relates_to not in (None, message_id)
    (answer,) = verified.body
    client.contract.validate(answer)
    for name in {"PersonasKods", "AdresesKods", "Teksts"} & set(arguments):
        assert arguments[name] not in [found.text for found in answer.iter(f"{{*}}{name}")]
    assert last(journal) == (f"read:{operation}", "other_answer")


def test_a_count_is_used_up_and_then_all_is_well(start: Start, journal: Journal) -> None:
    pmlp = start("pmlp")
    pmlp.misbehave(mode="html", count=2)
    assert pmlp.session.get(f"{pmlp.url}/_control", timeout=5).json() == {
        "mode": "html",
        "count": 2,
        "delay_ms": 0,
    }
    for _ in range(3):
        pmlp.post(request(pmlp))
    assert [line["answered"] for line in journal.lines()] == ["html", "html", "ok"]
    assert pmlp.session.get(f"{pmlp.url}/_control", timeout=5).json()["mode"] == "ok"


def test_an_unsigned_request_is_not_served_in_any_mode(start: Start, journal: Journal) -> None:
    pmlp = start("pmlp")
    for mode in Mode:
        if mode in (Mode.HANG, Mode.SLOW):
            continue
        pmlp.misbehave(mode=mode, count=1)
        try:
            pmlp.post(pmlp.unsigned(*GET_PERSON))
        except requests.RequestException:
            assert mode in (Mode.REFUSE, Mode.RESET, Mode.HALF)
    assert {line["effect"] for line in journal.lines()} == {"none"}
    assert len(journal.lines()) == len(Mode) - 2


@pytest.mark.parametrize(
    "setting",
    [
        {},
        {"mode": "sulk"},
        {"mode": "ok", "count": 0},
        {"mode": "ok", "count": True},
        {"mode": "ok", "count": "2"},
        {"mode": "ok", "delay_ms": -1},
        {"mode": "ok", "delay_ms": 10**9},
        {"mode": "ok", "since": 1},
        ["ok"],
    ],
)
def test_a_wrong_setting_is_refused_and_changes_nothing(start: Start, setting: object) -> None:
    pmlp = start("pmlp")
    pmlp.misbehave(mode="html")
    response = pmlp.session.post(f"{pmlp.url}/_control", data=json.dumps(setting), timeout=5)
    assert response.status_code == 400
    assert pmlp.session.get(f"{pmlp.url}/_control", timeout=5).json()["mode"] == "html"
    pmlp.session.post(f"{pmlp.url}/_control", data=b"{", timeout=5)


def test_many_callers_at_once_are_all_in_the_journal(start: Start, journal: Journal) -> None:
    clients = [start("pmlp"), start("vzd")]
    clients[0].misbehave(mode="html", count=7)
    contents = [request(clients[0]), clients[1].sign(clients[1].envelope(*CALLS[6][1:]))]
    counts = [0, 0]

    def post(which: int) -> None:
        for _ in range(5):
            response = requests.post(clients[which].url, data=contents[which], timeout=20)
            counts[which] += response.headers["Content-Type"].startswith("text/html")

    threads = [threading.Thread(target=post, args=(n % 2,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = journal.lines()
    assert len(lines) == 40
    assert sum(line["answered"] == "html" for line in lines) == counts[0] == 7
    assert texts(clients[1].call(*CALLS[6][1:]), "Adrese/AdresesKods") == ["101003948"]

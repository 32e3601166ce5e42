"""Bad input: each gets a signed Fault or an HTTP error of its own, and nothing comes out of WSGI but answers."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from werkzeug.test import Client, EnvironBuilder

from audit.tables import log_records
from endpoints.soap import application
from storage import open_engine
from tests.calls import Calls
from tests.endpoints.soap.conftest import PATH, World
from tests.endpoints.soap.messages import ACTION, CODE, NAMESPACE, SOAP, WSA, context, get_person, heard

REQUEST = get_person()
Counter = Callable[[], int]


@pytest.fixture
def world(shared: World) -> World:
    shared.pmlp.asked.clear()
    return shared


@pytest.fixture
def records(world: World) -> Counter:
    """How many records the log took in this test."""

    def count() -> int:
        with world.gateway.engine.begin() as connection:
            # The log's own first record is of no exchange.
            counted = select(func.count()).where(log_records.c.kind.in_(("opened", "attempt", "outcome")))
            return int(connection.execute(counted).scalar_one())

    before = count()
    return lambda: count() - before


SIGNED = [
    ("", "schema_violation"),
    ("text", "schema_violation"),
    (f"{REQUEST}{REQUEST}", "schema_violation"),
    (f"{REQUEST}<Other xmlns='urn:x'/>", "schema_violation"),
    (f"text{REQUEST}", "schema_violation"),
    (f"{REQUEST}text", "schema_violation"),
    ("<GetPerson/>", "unknown_operation"),
    (REQUEST.replace(f' xmlns="{NAMESPACE}"', ""), "unknown_operation"),
    (f'<GetNothing xmlns="{NAMESPACE}"/>', "unknown_operation"),
    (f'<GetPersonResponse xmlns="{NAMESPACE}"/>', "unknown_operation"),
    ('<GetPerson xmlns="urn:another"/>', "unknown_operation"),
    (f'<f:Fault xmlns:f="{SOAP["1.1"]}"><faultcode>f:Client</faultcode></f:Fault>', "unknown_operation"),
    (f'<f:Fault xmlns:f="{SOAP["1.2"]}"/>', "unknown_operation"),
    (f'<GetPerson xmlns="{NAMESPACE}"/>', "schema_violation"),
    (f'<GetPerson xmlns="{NAMESPACE}" id="a" href="#a"/>', "schema_violation"),
    (f'<GetPerson xmlns="{NAMESPACE}">{context()}<Svess>1</Svess></GetPerson>', "schema_violation"),
    (REQUEST.replace("<Konteksts>", "<Konteksts lieks='1'>"), "schema_violation"),
    (REQUEST.replace("<Vide>test</Vide>", "<Vide>pilot</Vide>"), "schema_violation"),
    (get_person("12345"), "invalid_person_code"),
    (get_person("991399-10000"), "invalid_person_code"),
    (get_person(""), "invalid_person_code"),
]


@pytest.mark.parametrize(("body", "code"), SIGNED)
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_signed_body_that_is_wrong(
    world: World, body: str, code: str, version: str, records: Counter
) -> None:
    response = world.post(world.message(body=body, version=version).signed(), version)
    fault = world.fault(response)
    assert (fault.code, fault.kluda["Kods"]) == ({"1.1": "Client", "1.2": "Sender"}[version], code)
    assert fault.version == version
    assert fault.kluda["ApmainasId"] == response.headers["X-Exchange-Id"]
    assert CODE not in response.text
    assert world.pmlp.asked == []
    assert records() == 2


def envelope(
    body: str = f"<s:Body>{REQUEST}</s:Body>", soap: str = SOAP["1.1"], header: str = "<s:Header/>"
) -> bytes:
    return f'<s:Envelope xmlns:s="{soap}">{header}{body}</s:Envelope>'.encode()


LAUGHS = b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
UNSIGNED = [
    (envelope(), "unsigned"),
    (envelope(header=""), "unsigned"),
    (envelope(body=""), "malformed_message signature_invalid unsigned"),
    (envelope(body="<s:Body/>"), "unsigned"),
    (envelope(body="<s:Body/><s:Body/>"), "signature_invalid"),
    (envelope(soap="urn:soap-of-the-future"), "malformed_message"),
    (envelope(soap=""), "malformed_message"),
    (b"<Envelope/>", "malformed_message"),
    (b"<html><body>hello</body></html>", "malformed_message"),
    (b"{}", "malformed_message"),
    (b" ", "malformed_message"),
    (b"\x00", "malformed_message"),
    (b"\xff\xfe", "malformed_message"),
    (envelope()[:-5], "malformed_message"),
    (b'<?xml version="1.0" encoding="UTF-7"?>' + envelope(), "malformed_message"),
    (b'<?xml version="1.0" encoding="no-such"?>' + envelope(), "malformed_message"),
    (b"<?target data?>" + envelope(), "malformed_message"),
    (LAUGHS + envelope(), "doctype_refused"),
    (b'<!DOCTYPE a SYSTEM "http://localhost:1/x.dtd">' + envelope(), "doctype_refused"),
    (("<!DOCTYPE a>" + envelope().decode()).encode("utf-16"), "doctype_refused"),
    (envelope(body="<s:Body>&undeclared;</s:Body>"), "malformed_message"),
    (b"<a>" * 5000, "malformed_message too_large"),
]


@pytest.mark.parametrize(("content", "codes"), UNSIGNED)
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_bytes_that_are_no_signed_message(
    world: World, content: bytes, codes: str, version: str, records: Counter
) -> None:
    if version == "1.2":
        content = content.replace(SOAP["1.1"].encode(), SOAP["1.2"].encode())
    fault = world.fault(world.post(content, version))
    assert fault.kluda["Kods"] in codes.split()
    assert fault.version == version
    assert records() == 2


def test_an_envelope_of_another_version_is_told_so(world: World) -> None:
    assert world.fault(world.post(envelope(soap="urn:soap-of-the-future"))).code == "VersionMismatch"


@pytest.mark.parametrize(("version", "sent_as"), [("1.1", "1.2"), ("1.2", "1.1")])
def test_content_type_and_envelope_must_agree(world: World, version: str, sent_as: str) -> None:
    fault = world.fault(world.post(world.message(version=version).signed(), sent_as))
    assert (fault.version, fault.kluda["Kods"]) == (version, "malformed_message")


class TestTampering:
    """What is changed after signing is refused; the suite of attacks is the signature's own."""

    def test_a_changed_body(self, world: World) -> None:
        content = world.message().signed().replace(CODE.encode(), b"321234-56788")
        assert world.fault(world.post(content)).kluda["Kods"] == "signature_invalid"

    def test_addressing_that_is_not_signed(self, world: World) -> None:
        content = world.message().signed()
        header = b'<wsa:MessageID xmlns:wsa="http://www.w3.org/2005/08/addressing">urn:x</wsa:MessageID>'
        changed = content.replace(b"<s:Header>", b"<s:Header>" + header).replace(b"<s:Header/>", b"")
        assert world.fault(world.post(changed)).kluda["Kods"] == "unsigned"


class TestActions:
    """SOAPAction, the action parameter and wsa:Action must name the operation of the Body."""

    @pytest.mark.parametrize("action", [f'"{ACTION}"', ACTION, '""', "", f' "{ACTION}" '])
    def test_the_right_action_or_none(self, world: World, action: str) -> None:
        assert world.post(world.message().signed(), headers={"SOAPAction": action}).status_code == 200

    @pytest.mark.parametrize(
        "action",
        [
            f'"{ACTION}',
            f'{ACTION}"',
            f'""{ACTION}""',
            f"'{ACTION}'",
            f'"{ACTION}","{ACTION}"',
            f"{ACTION},{ACTION}",
            '"",""',
            f'"{ACTION}" x',
            f'" {ACTION}"',
            '"',
            ACTION.upper(),
        ],
    )
    def test_an_action_that_is_not_one_address(self, world: World, action: str) -> None:
        """Two headers SOAPAction reach the application as one, parted by a comma."""
        response = world.post(world.message().signed(), headers={"SOAPAction": action})
        assert (response.status_code, world.fault(response).kluda["Kods"]) == (500, "invalid_request")
        assert world.pmlp.asked == []

    def test_another_action_1_1(self, world: World) -> None:
        response = world.post(world.message().signed(), headers={"SOAPAction": f'"{NAMESPACE}/DeletePerson"'})
        assert world.fault(response).kluda["Kods"] == "invalid_request"
        assert "DeletePerson" not in response.text

    @pytest.mark.parametrize(("action", "status"), [(ACTION, 200), (f"{NAMESPACE}/DeletePerson", 400)])
    def test_the_action_of_1_2(self, world: World, action: str, status: int) -> None:
        kind = f'application/soap+xml; charset=utf-8; action="{action}"'
        content = world.message(version="1.2").signed()
        assert world.post(content, "1.2", {"Content-Type": kind}).status_code == status

    @pytest.mark.parametrize(("action", "status"), [(ACTION, 200), (f"{NAMESPACE}/DeletePerson", 500)])
    def test_the_signed_action(self, world: World, action: str, status: int) -> None:
        assert world.post(world.message(addressing={"Action": action}).signed()).status_code == status


class TestAddresses:
    """Answers and faults go back on the connection that the request came by; nobody is called."""

    OLD = "http://schemas.xmlsoap.org/ws/2004/08/addressing"

    @pytest.mark.parametrize("name", ["ReplyTo", "FaultTo"])
    @pytest.mark.parametrize("version", ["1.1", "1.2"])
    @pytest.mark.parametrize(
        "inside", ["URL", f"{WSA}/none", f"{WSA}/anonymous/", "", f"{OLD}/role/anonymous"]
    )
    def test_another_address_is_refused(
        self, world: World, name: str, version: str, inside: str, calls: Calls
    ) -> None:
        address = f"<wsa:Address>{inside.replace('URL', calls.url)}</wsa:Address>"
        message = world.message(version=version, addressing={name: address, "MessageID": "urn:uuid:1"})
        verified = world.believed(world.post(message.signed(), version))
        assert (verified.action, verified.relates_to) == (f"{WSA}/fault", "urn:uuid:1")
        fault = heard(verified.envelope)
        assert fault.kluda["Kods"] == "invalid_request"
        if version == "1.1":
            assert fault.code == "OnlyAnonymousAddressSupported"
        else:
            assert (fault.code, fault.subcode) == ("Sender", "InvalidAddressingHeader")
            inner = f".//{{{SOAP['1.2']}}}Subcode/{{{SOAP['1.2']}}}Subcode/{{{SOAP['1.2']}}}Value"
            assert verified.body.findtext(inner) == "wsa:OnlyAnonymousAddressSupported"
        assert world.pmlp.asked == []
        assert calls.heard == []

    @pytest.mark.parametrize("inside", ["", "<wsa:Address>A</wsa:Address>" * 2, "A", "<Address>A</Address>"])
    def test_no_address_or_two_are_refused(self, world: World, inside: str) -> None:
        reply_to = inside.replace("A<", f"{WSA}/anonymous<")
        response = world.post(world.message(addressing={"ReplyTo": reply_to}).signed())
        assert world.fault(response).code == "OnlyAnonymousAddressSupported"

    def test_the_anonymous_address_is_the_connection(self, world: World) -> None:
        anonymous = f"<wsa:Address> {WSA}/anonymous\n</wsa:Address>"
        message = world.message(addressing={"ReplyTo": anonymous, "FaultTo": anonymous})
        assert world.post(message.signed()).status_code == 200

    @pytest.mark.parametrize(
        ("address", "status"), [(f"{OLD}/role/anonymous", 200), (f"{WSA}/anonymous", 500)]
    )
    def test_an_older_edition_has_one_of_its_own(self, world: World, address: str, status: int) -> None:
        message = world.message(addressing={"ReplyTo": f"<wsa:Address>{address}</wsa:Address>"})
        message = message.but(edition=self.OLD)
        assert world.post(message.signed()).status_code == status

    def test_from_says_who_wrote_it_and_is_nobody_to_call(self, world: World, calls: Calls) -> None:
        addressing = {"From": f"<wsa:Address>{calls.url}</wsa:Address>", "To": calls.url}
        assert world.post(world.message(addressing=addressing).signed()).status_code == 200
        assert calls.heard == []


class TestHeaders:
    """A header that must be understood and is not stops the message, signed or not."""

    @pytest.mark.parametrize(
        ("version", "attributes", "understood"),
        [
            ("1.1", 's:mustUnderstand="1"', False),
            ("1.1", 's:mustUnderstand="0"', True),
            ("1.1", "", True),
            ("1.1", 's:mustUnderstand="1" s:actor="urn:another"', True),
            ("1.1", 's:mustUnderstand="1" s:actor="http://schemas.xmlsoap.org/soap/actor/next"', False),
            ("1.2", 's:mustUnderstand="true"', False),
            ("1.2", 's:mustUnderstand="1"', False),
            ("1.2", 's:mustUnderstand="false"', True),
            ("1.2", f's:mustUnderstand="true" s:role="{SOAP["1.2"]}/role/next"', False),
            ("1.2", f's:mustUnderstand="true" s:role="{SOAP["1.2"]}/role/ultimateReceiver"', False),
            ("1.2", f's:mustUnderstand="true" s:role="{SOAP["1.2"]}/role/none"', True),
        ],
    )
    def test_must_understand(self, world: World, version: str, attributes: str, understood: bool) -> None:
        extra = f'<t:Transakcija xmlns:t="urn:t" {attributes}>1</t:Transakcija>'
        response = world.post(world.message(version=version, extra=extra).signed(), version)
        if understood:
            assert response.status_code == 200
        else:
            assert world.fault(response).code == "MustUnderstand"
            assert world.pmlp.asked == []

    def test_a_message_id_must_fit_where_it_is_remembered(self, world: World) -> None:
        message = world.message(addressing={"MessageID": f"urn:{'x' * 197}"})
        assert world.fault(world.post(message.signed())).kluda["Kods"] == "invalid_request"
        assert world.post(world.message(addressing={"MessageID": "x" * 200}).signed()).status_code == 200


TRANSPORT: list[tuple[str, bytes, Mapping[str, str], int, str]] = [
    ("an empty body", b"", {}, 400, "malformed_message"),
    ("over the size", b"<a>" + b" " * 100_000, {}, 413, "too_large"),
    ("JSON", b"{}", {"Content-Type": "application/json"}, 415, "invalid_request"),
    ("no type", b"<a/>", {"Content-Type": ""}, 415, "invalid_request"),
    ("no such type", b"<a/>", {"Content-Type": ";;;,"}, 415, "invalid_request"),
    ("XML of no kind", b"<a/>", {"Content-Type": "application/xml"}, 415, "invalid_request"),
    ("multipart", b"--x--", {"Content-Type": "multipart/related; boundary=x"}, 415, "invalid_request"),
    ("a form", b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "invalid_request"),
    ("compressed", b"\x1f\x8b", {"Content-Encoding": "gzip"}, 415, "invalid_request"),
]


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [row[1:] for row in TRANSPORT],
    ids=[row[0] for row in TRANSPORT],
)
def test_what_http_itself_refuses_is_no_exchange(
    world: World,
    content: bytes,
    headers: Mapping[str, str],
    status: int,
    code: str,
    records: Counter,
) -> None:
    response = world.post(content, headers=headers)
    assert response.status_code == status
    fault = world.fault(response)
    assert fault.kluda == {"Kods": code, "AtkartotVar": "false"}
    assert response.headers["X-Exchange-Id"]
    assert records() == 0


@pytest.mark.parametrize("charset", ["no-such", "iso-8859-1", "", "utf-16", "utf-16le", "utf-32", "utf-7"])
def test_a_charset_that_is_not_taken(world: World, charset: str, records: Counter) -> None:
    response = world.post(
        world.message().signed(), headers={"Content-Type": f'text/xml; charset="{charset}"'}
    )
    assert world.fault(response).kluda["Kods"] == "malformed_message"
    assert records() == 2


@pytest.mark.parametrize("charset", ["UTF-8", "utf-8", "us-ascii"])
def test_a_charset_that_is_taken(world: World, charset: str) -> None:
    headers = {"Content-Type": f'text/xml; charset="{charset}"'}
    assert world.post(world.message().signed(), headers=headers).status_code == 200


@pytest.mark.parametrize("kind", ["text/xml; charset=utf-16", "text/xml", "text/xml; charset=utf-8"])
def test_a_byte_order_mark_says_what_the_encoding_is(world: World, kind: str) -> None:
    content = world.message().signed().decode().encode("utf-16")
    assert world.post(content, headers={"Content-Type": kind}).status_code == 200


@pytest.mark.parametrize(
    "kind",
    [
        "TEXT/XML",
        "Text/Xml; charset=UTF-8",
        "text/xml;charset=utf-8",
        'text/xml ; CharSet="utf-8"',
        'text/xml;charset="UTF\\-8"',
        "text/xml;;charset=utf-8;",
        "text/xml; charset=utf-8; action=x; type=y",
    ],
)
def test_a_media_type_is_read_whatever_its_case(world: World, kind: str) -> None:
    assert world.post(world.message().signed(), headers={"Content-Type": kind}).status_code == 200


@pytest.mark.parametrize(
    "kind",
    [
        "text/xml; charset=utf-8; charset=utf-8",
        "text/xml; charset=utf-8; CHARSET=utf-16",
        "text/xml; charset = utf-8",
        'text/xml; charset="utf-8',
        "text/xml; charset=",
        "text/xml charset=utf-8",
        "text/xml, text/xml",
        "text/xml, application/json",
        "text/xml;" + " ; " * 5_000 + "x",
        "text",
        "/xml",
        "text/xml/xml",
        "application/xop+xml",
        'multipart/related; type="text/xml"; boundary=x',
        "application/soap+xml+x",
    ],
)
def test_a_media_type_that_can_be_read_in_two_ways_or_is_none(world: World, kind: str) -> None:
    assert world.post(world.message().signed(), headers={"Content-Type": kind}).status_code == 415


@pytest.mark.parametrize("coding", ["gzip, chunked", "deflate", "chunked, gzip"])
def test_a_transfer_coding_that_is_not_undone(world: World, coding: str, records: Counter) -> None:
    environ = EnvironBuilder(PATH, method="POST", content_type="text/xml").get_environ()
    environ |= {"HTTP_TRANSFER_ENCODING": coding, "wsgi.input_terminated": True}
    environ.pop("CONTENT_LENGTH", None)
    status, content = world.call(environ | {"wsgi.input": io.BytesIO(world.message().signed())})
    assert (status, b"malformed_message" in content, records()) == (400, True, 0)


@pytest.mark.parametrize("length", ["abc", "-1", "1e3", "+5", "0x10", " 5", "٣", "9" * 30])
def test_a_length_that_is_no_number(world: World, length: str) -> None:
    environ = EnvironBuilder(PATH, method="POST", data=b"<a/>", content_type="text/xml").get_environ()
    status, content = world.call(environ | {"CONTENT_LENGTH": length})
    assert status == 400, content


class Broken(io.BytesIO):
    """A connection that breaks while the body is read."""

    def read(self, _size: int | None = -1) -> bytes:
        raise TimeoutError


def test_a_body_that_does_not_arrive(world: World, records: Counter) -> None:
    environ = EnvironBuilder(PATH, method="POST", data=b"<a/>", content_type="text/xml").get_environ()
    for stream, length in ((Broken(), "4"), (io.BytesIO(b"<a"), "4")):
        status, content = world.call(environ | {"wsgi.input": stream, "CONTENT_LENGTH": length})
        assert status == 400
        assert b"malformed_message" in content
    assert records() == 0


def test_a_body_in_chunks_is_counted_by_ourselves(world: World) -> None:
    builder = EnvironBuilder(PATH, method="POST", content_type="text/xml")
    environ = builder.get_environ() | {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    environ.pop("CONTENT_LENGTH", None)
    content = world.message().signed()
    assert world.call(environ | {"wsgi.input": io.BytesIO(content)})[0] == 200
    assert world.call(environ | {"wsgi.input": io.BytesIO(content + b" " * 100_000)})[0] == 413


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "NONSENSE"])
def test_other_methods(world: World, method: str, records: Counter) -> None:
    response = Client(world.app).open(PATH, method=method, data=b"<a/>", content_type="text/xml")
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, POST"
    assert method != "HEAD" or response.data == b""
    assert records() == 0


@pytest.mark.parametrize(
    "path",
    [
        "/soap",
        "/soap/",
        "/soap/nobody/v1-0",
        "/soap/persons",
        "/soap/persons/v2-0",
        f"{PATH}/",
        "/persons/v1-0",
        "/",
    ],
)
def test_no_such_service(world: World, path: str) -> None:
    response = Client(world.app).post(path, data=b"<a/>", content_type="text/xml")
    assert response.status_code == 404
    assert response.mimetype == "text/plain"


def test_too_many_requests_of_one_address(world: World) -> None:
    limits = dataclasses.replace(world.gateway.settings.limits, requests_per_s=2)
    settings_ = dataclasses.replace(world.gateway.settings, limits=limits)
    slow = dataclasses.replace(world, app=application(dataclasses.replace(world.gateway, settings=settings_)))
    answers = [slow.post(b"<a/>") for _ in range(4)]
    assert [answer.status_code for answer in answers].count(429) >= 1
    fault = slow.fault(next(answer for answer in answers if answer.status_code == 429))
    assert fault.kluda == {"Kods": "busy", "AtkartotVar": "true", "AtkartotPec": "1"}


def test_nothing_unforeseen_leaves_as_a_stack_trace(world: World, tmp_path: Path) -> None:
    """The table of partners is gone, which nobody expects."""
    empty = open_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    without = dataclasses.replace(world, app=application(dataclasses.replace(world.gateway, engine=empty)))
    response = without.post(world.message().signed())
    fault = without.fault(response)
    assert (fault.code, fault.kluda["Kods"]) == ("Server", "log_unavailable")
    for word in ("sql", "traceback", "spyne", "lxml", "/", "partners"):
        assert word not in fault.reason.lower()
    empty.dispose()


def test_a_gateway_that_cannot_sign_tells_nothing(world: World) -> None:
    """Even a refusal needs the key; what fails there too ends at the last boundary."""

    def clock() -> datetime:
        raise RuntimeError(CODE)

    broken = dataclasses.replace(world, app=application(world.gateway, clock=clock))
    response = broken.post(b"<a/>")
    assert (response.status_code, response.mimetype) == (500, "text/plain")
    assert CODE not in response.text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), kind=st.sampled_from(["text/xml", "application/soap+xml"]))
def test_any_bytes_get_an_answer(world: World, content: bytes, kind: str) -> None:
    response = world.post(content, headers={"Content-Type": kind})
    assert response.status_code in (400, 500)
    assert world.fault(response).kluda["Kods"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000), piece=st.binary(max_size=20), cut=st.integers(0, 200))
def test_a_signed_message_with_a_piece_changed_gets_an_answer(
    world: World, place: int, piece: bytes, cut: int
) -> None:
    content = world.message().signed()
    at = place % len(content)
    changed = content[:at] + piece + content[at + cut :]
    assert world.post(changed).status_code in (200, 500)


def test_diagnostics_hold_no_personal_data(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    world.post(world.message().signed())
    world.post(world.message(body=get_person("321234-56780") + "<x/>").signed())
    world.post(envelope())
    text = json.dumps([record.getMessage() for record in caplog.records])
    assert CODE not in text
    assert "321234" not in text
    assert "Paraudzi" not in text

"""Every attack is refused, reaches nobody and is on record; every right message beside them is answered."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import (
    CertificateRevocationList,
    CertificateRevocationListBuilder,
    RevokedCertificateBuilder,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from errors import Side, by_code
from exchange import utc_now
from routing.parties import disable_partner
from security.keys import Identity, PrivateKey
from security.xml import Element, canonical
from tests.attacks import controls, http, soap, table, xml
from tests.attacks.live import Answer, Sent, Site
from tests.security import (
    attacks,
    attacks_content,
    attacks_references,
    attacks_structure,
    attacks_trust,
    messages,
)
from tests.security.messages import NAMES, make

# Importing them enters their attacks.
ENTERED = (attacks_content, attacks_references, attacks_structure, attacks_trust, http, soap, xml)

Say = Callable[[str, object], None]


def refused(site: Site, sent: Sent, codes: tuple[str, ...], say: Say, status: int | None = None) -> Answer:
    """Send what must be refused: with a code that is known, without reaching anybody, and on record."""
    reached, attempts = site.reached(), site.attempts()
    answer = site.send(sent)
    taken = site.reached() > reached or site.attempts() > attempts or answer.status < 400
    say("attack", taken)
    assert not taken, answer.content
    records = site.records(answer.exchange_id)
    if not records:
        # HTTP itself refused: no exchange began, and the sum of such refusals has it (asked at the end).
        code = answer.code or codes[0]
        site.before_exchange[code] += 1
        assert answer.status == (status or by_code()[code].status)
        assert not answer.within_exchange
    else:
        code = answer.code
        assert answer.fault
        assert answer.within_exchange
        assert answer.status in (400, 500)
        assert [record["kind"] for record in records] == ["opened", "outcome"]
        assert (records[-1]["code"], records[-1]["outcome"]) == (code, by_code()[code].outcome.value)
        assert records[-1]["outcome"] in ("denied", "invalid")
    assert code in codes, (code, answer.content)
    return answer


def accepted(site: Site, sent: Sent, say: Say) -> Answer:
    """Send what must be answered, by asking the system behind once."""
    reached = site.reached()
    answer = site.send(sent)
    say("control", answer.status == 200)
    assert answer.status == 200, answer.content
    assert site.reached() == reached + 1
    assert [record["kind"] for record in site.records(answer.exchange_id)] == ["opened", "attempt", "outcome"]
    return answer


@pytest.mark.parametrize("name", controls.CONTROLS)
def test_a_right_message_is_answered(live: Site, name: str, record_property: Say) -> None:
    accepted(live, controls.CONTROLS[name](live.fresh()), record_property)


def test_there_are_many_attacks() -> None:
    xml_and_http = sum(name.startswith("XML:") for name in attacks.TABLE) + len(table.CASES)
    assert len(attacks.TABLE) >= 200
    assert xml_and_http >= 150


# Those of another policy, which is made of files here: there are tests of their own below.
BY_FILES = {
    "certificate: revoked",
    "certificate: its revocation list is forged",
    "certificate: no authority is trusted",
}


@pytest.mark.parametrize("name", sorted(attacks.TABLE.keys() - BY_FILES))
def test_an_attack_on_the_signature(live: Site, name: str, record_property: Say) -> None:
    world = live.fresh()
    attempt = attacks.TABLE[name].attempt(world)
    assert attempt.policy is None
    live.enrol(attempt.data)
    refused(
        live, Sent(attempt.data), tuple(error.code for error in attacks.TABLE[name].errors), record_property
    )


@pytest.mark.parametrize("name", table.CASES)
def test_an_attack_by_xml_soap_or_http(live: Site, name: str, record_property: Say) -> None:
    case = table.CASES[name]
    refused(live, case.make(live.fresh()), case.codes, record_property, case.status)


# Who signs, as the gateway knows him: each message is right in everything else.


def test_a_certificate_that_is_trusted_and_not_registered(live: Site, record_property: Say) -> None:
    refused(live, Sent(make(_newcomer(live))), ("unknown_partner",), record_property)


def test_a_partner_that_was_disabled(live: Site, record_property: Say) -> None:
    recipe = _newcomer(live)
    live.register("left", recipe.identity.certificate)
    accepted(live, Sent(make(recipe)), record_property)
    with live.engine.begin() as connection:
        disable_partner(connection, "left", utc_now())
    again = recipe.change(addressing={"MessageID": "urn:example:left"})
    refused(live, Sent(make(again)), ("unknown_partner",), record_property)
    # Nor does the answer that it had before leave again.
    refused(live, Sent(make(recipe)), ("unknown_partner",), record_property)


@pytest.mark.parametrize("forged", [False, True])
def test_a_certificate_that_was_revoked(live: Site, forged: bool, record_property: Say) -> None:
    """By its authority, or by a list that only says so: then nobody is believed until the list is right."""
    world = live.fresh()
    code = "revocation_unknown" if forged else "revoked_certificate"
    with revoked(live, world.stranger.key if forged else world.authority.key):
        refused(live, Sent(make(world.recipe)), (code,), record_property)
    accepted(live, Sent(make(live.fresh().recipe)), record_property)


def test_an_authority_that_is_trusted_no_more(live: Site, record_property: Say) -> None:
    file = live.folder / "config" / "trust" / "authority.pem"
    pem = file.read_bytes()
    file.unlink()
    refused(live, Sent(make(live.fresh().recipe)), ("untrusted_certificate",), record_property)
    file.write_bytes(pem)
    accepted(live, Sent(make(live.fresh().recipe)), record_property)


def _newcomer(site: Site) -> messages.Recipe:
    world = site.fresh()
    key = ec.generate_private_key(ec.SECP256R1())
    return world.by(Identity(world.certificate(key, world.authority, subject="newcomer"), key))


@contextmanager
def revoked(site: Site, key: PrivateKey) -> Iterator[None]:
    """While the RSA partner stands on a revocation list in the authority's name, signed by a key."""
    now = utc_now()
    revocation = (
        RevokedCertificateBuilder()
        .serial_number(site.world.rsa.certificate.serial_number)
        .revocation_date(now - timedelta(minutes=1))
        .build()
    )
    made: CertificateRevocationList = (
        CertificateRevocationListBuilder()
        .issuer_name(site.world.authority.certificate.subject)
        .last_update(now - timedelta(minutes=1))
        .next_update(now + timedelta(days=1))
        .add_revoked_certificate(revocation)
        .sign(key, hashes.SHA256())
    )
    file = site.folder / "config" / "crl" / "authority.pem"
    file.write_bytes(made.public_bytes(Encoding.PEM))
    try:
        yield
    finally:
        file.unlink()


# The same message again.


def test_the_identical_bytes_again_are_a_retry(live: Site) -> None:
    content = Sent(make(live.fresh().recipe))
    first, reached = live.send(content), live.reached()
    second = live.send(content)
    assert (first.status, second.status, live.reached()) == (200, 200, reached)
    assert _payload(first) == _payload(second)
    assert live.records(second.exchange_id)[-1]["repeats"] == first.exchange_id


def test_other_content_under_the_same_message_id(live: Site, record_property: Say) -> None:
    world = live.fresh()
    accepted(live, Sent(make(world.recipe)), record_property)
    refused(live, Sent(make(world.recipe.change(body=world.evil))), ("message_id_reused",), record_property)


def test_a_message_of_one_partner_signed_again_by_another_is_another(
    live: Site, record_property: Say
) -> None:
    world = live.fresh()
    accepted(live, Sent(make(world.recipe)), record_property)
    accepted(live, Sent(make(world.by(world.other))), record_property)


# Whatever else may be changed.

_PIECES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"<!--", b"-->", b"<![CDATA[", b"]]>", b"&", b"<a/>", b'wsu:Id="Body"', b"#Body", b"<s:Body>"]
    ),
)


@settings(max_examples=40, deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 40), _PIECES), min_size=1, max_size=3)
)
def test_no_change_of_bytes_is_believed(live: Site, edits: list[tuple[int, int, bytes]]) -> None:
    original = make(live.fresh().recipe)
    changed = original
    for place, cut, piece in edits:
        at = place % len(changed)
        changed = changed[:at] + piece + changed[at + cut :]
    _never_believed_otherwise(live, original, changed)


_STEPS = st.tuples(
    st.sampled_from(["move", "copy", "delete", "text", "tail", "id", "rename", "swap"]),
    st.integers(0, 1 << 30),
    st.integers(0, 1 << 30),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(_STEPS, min_size=1, max_size=4))
def test_no_change_of_the_tree_is_believed(live: Site, steps: list[tuple[str, int, int]]) -> None:
    original = make(live.fresh().recipe)
    root = etree.fromstring(original)
    for what, one, two in steps:
        _change(root, what, one, two)
    _never_believed_otherwise(live, original, bytes(etree.tostring(root)))


def _change(root: Element, what: str, one: int, two: int) -> None:
    elements = list(root.iter("*"))
    element, other = elements[one % len(elements)], elements[two % len(elements)]
    within = other in element.iter("*")
    if what == "move" and not within:
        other.append(element)
    elif what == "copy":
        other.append(copy.deepcopy(element))
    elif what == "delete" and element is not root:
        element.getparent().remove(element)
    elif what == "text":
        element.text = other.text
    elif what == "tail":
        element.tail = other.text
    elif what == "id":
        element.set(f"{{{NAMES['wsu']}}}Id", other.get(f"{{{NAMES['wsu']}}}Id", "x"))
    elif what == "rename":
        element.tag = other.tag
    elif what == "swap" and not within and element not in other.iter("*"):
        element.addnext(other)


def _never_believed_otherwise(site: Site, original: bytes, changed: bytes) -> None:
    """A changed message is refused with a code of the caller's, or says the same as the original, by place."""
    reached = site.reached()
    answer = site.send(Sent(changed))
    if answer.status == 200:
        assert _said(changed) == _said(original)
        assert site.reached() == reached + 1
        return
    assert site.reached() == reached
    if not site.records(answer.exchange_id):
        site.before_exchange[answer.code] += 1
    else:
        assert answer.fault  # and it is signed: `send` has checked that
    assert by_code()[answer.code].side is Side.CALLER


def _said(content: bytes) -> list[bytes]:
    """What a message says in the places that count, in canonical form."""
    root = etree.fromstring(content, etree.XMLParser(remove_comments=True, resolve_entities=False))
    header, body = root
    return [
        canonical(body),
        *(canonical(part) for part in header if part.tag.startswith(f"{{{NAMES['wsa']}}}")),
    ]


def _payload(answer: Answer) -> bytes:
    (element,) = etree.fromstring(answer.content).find("s:Body", NAMES)
    return canonical(element)


def test_what_was_refused_before_an_exchange_is_summed_up(live: Site) -> None:
    """The last test: the gateway ends, and what it has counted is on record."""
    assert live.served.stop() == 0
    assert live.summed_up()[0] == live.before_exchange

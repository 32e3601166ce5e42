"""An answer is believed when the issuer, or whom it charged with that, says it of this certificate now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from security import revocation_ocsp
from security.revocation import Status
from security.revocation_ocsp import Answer, AnswerNotBelieved
from tests.security.revoking import HOUR, Saying, delegated, issued, revoking

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AUTHORITY = issued("authority", None, NOW, ca=True)
# The same name: only its key tells it apart.
STRANGER = issued("authority", None, NOW, ca=True)
PARTNER = issued("partner", AUTHORITY, NOW)
OTHER = issued("other", AUTHORITY, NOW)
RESPONDER = delegated(AUTHORITY, NOW)
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
REVOKED = ocsp.OCSPCertStatus.REVOKED

Lists = tuple[x509.CertificateRevocationList, ...]


def read(saying: Saying, lists: Lists = (), *, about: x509.Certificate = PARTNER.certificate) -> Answer:
    question = revocation_ocsp.ask(about, AUTHORITY.certificate)
    content = saying.answer(question.content, about, AUTHORITY, NOW)
    return revocation_ocsp.read(content, question, NOW, lists)


@pytest.mark.parametrize(
    ("saying", "status"),
    [
        (Saying(), Status.GOOD),
        (Saying(REVOKED), Status.REVOKED),
        (Saying(ocsp.OCSPCertStatus.UNKNOWN), Status.UNKNOWN),
        (Saying(signer=RESPONDER), Status.GOOD),
        (Saying(signer=RESPONDER, by_hash=True), Status.GOOD),
        (Saying(by_hash=True), Status.GOOD),
        (Saying(nonce=b""), Status.GOOD),
        (Saying(begin=4 * MINUTE), Status.GOOD),
        (Saying(begin=-HOUR, end=-4 * MINUTE), Status.GOOD),
        (Saying(digest=hashes.SHA384), Status.GOOD),
        (Saying(digest=hashes.SHA512), Status.GOOD),
    ],
)
def test_what_is_right_is_believed(saying: Saying, status: Status) -> None:
    answer = read(saying)
    assert answer.status is status
    assert answer.this_update == NOW + saying.begin
    assert (answer.signer_ends is None) is (saying.signer is None)


def test_an_rsa_issuer_is_believed_too() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    issuer = issued("authority", None, NOW, ca=True, key=key)
    partner = issued("partner", issuer, NOW).certificate
    question = revocation_ocsp.ask(partner, issuer.certificate)
    content = Saying().answer(question.content, partner, issuer, NOW)
    assert revocation_ocsp.read(content, question, NOW).status is Status.GOOD


@pytest.mark.parametrize(
    ("saying", "why"),
    [
        (Saying(signer=STRANGER), "signature does not hold"),
        (Saying(signer=STRANGER, by_hash=True), "its signer has no certificate of the issuer"),
        (Saying(signer=PARTNER), "OCSPSigning"),
        (Saying(signer=delegated(AUTHORITY, NOW, SERVER)), "OCSPSigning"),
        (
            Saying(signer=delegated(AUTHORITY, NOW, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)),
            "OCSPSigning",
        ),
        (Saying(signer=delegated(STRANGER, NOW)), "its signer has no certificate of the issuer"),
        (Saying(signer=delegated(PARTNER, NOW)), "its signer has no certificate of the issuer"),
        (Saying(signer=delegated(AUTHORITY, NOW, days=-1)), "its signer has no certificate of the issuer"),
        (
            Saying(signer=delegated(STRANGER, NOW), enclosed=[RESPONDER.certificate]),
            "signature does not hold",
        ),
        (Saying(signer=RESPONDER, enclosed=()), "neither the issuer nor a responder"),
        (Saying(about=OTHER.certificate), "another certificate"),
        (Saying(nonce=b"0123456789abcdef"), "another question"),
        (Saying(begin=6 * MINUTE), "of a time to come"),
        (Saying(begin=-2 * HOUR, end=-6 * MINUTE), "out of date"),
        (Saying(begin=-2 * HOUR, end=None), "out of date"),
        (Saying(begin=-timedelta(days=11), end=timedelta(days=300)), "out of date"),
        (Saying(digest=hashes.SHA224), "algorithm"),
    ],
)
def test_what_is_wrong_says_nothing(saying: Saying, why: str) -> None:
    with pytest.raises(AnswerNotBelieved, match=why):
        read(saying)


def test_a_responder_that_the_issuer_revoked_is_not_believed() -> None:
    lists = (revoking(AUTHORITY, NOW, RESPONDER.certificate.serial_number),)
    assert read(Saying(), lists).status is Status.GOOD
    with pytest.raises(AnswerNotBelieved):
        read(Saying(signer=RESPONDER), lists)


def test_an_answer_of_another_issuer_with_the_same_serial_number_is_about_another_certificate() -> None:
    """The same serial number under another key of the same name, answered by the right signer."""
    twin = issued("partner", STRANGER, NOW, serial=PARTNER.certificate.serial_number)
    question = revocation_ocsp.ask(PARTNER.certificate, AUTHORITY.certificate)
    said = Saying(signer=AUTHORITY, about=twin.certificate)
    content = said.answer(question.content, twin.certificate, STRANGER, NOW)
    with pytest.raises(AnswerNotBelieved, match="another certificate"):
        revocation_ocsp.read(content, question, NOW)


@pytest.mark.parametrize(
    ("end", "holds"),
    [
        (HOUR, HOUR),
        (timedelta(days=3650), timedelta(days=10)),
        (None, HOUR),
    ],
)
def test_no_answer_holds_for_long(end: timedelta | None, holds: timedelta) -> None:
    assert read(Saying(end=end)).ends == NOW + holds


@pytest.mark.parametrize(
    ("reason", "held"),
    [
        (None, False),
        (x509.ReasonFlags.key_compromise, False),
        (x509.ReasonFlags.certificate_hold, True),
    ],
)
def test_a_certificate_on_hold_is_told_apart(reason: x509.ReasonFlags | None, held: bool) -> None:
    assert read(Saying(REVOKED, reason=reason)).held is held


@pytest.mark.parametrize(
    "status",
    [one for one in ocsp.OCSPResponseStatus if one is not ocsp.OCSPResponseStatus.SUCCESSFUL],
)
def test_a_responder_that_refuses_says_nothing(status: ocsp.OCSPResponseStatus) -> None:
    question = revocation_ocsp.ask(PARTNER.certificate, AUTHORITY.certificate)
    content = ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
    with pytest.raises(AnswerNotBelieved, match="the responder refuses"):
        revocation_ocsp.read(content, question, NOW)


@pytest.mark.parametrize("content", [b"", b"<html>", lambda whole: whole[:-1], lambda whole: whole + b"\0"])
def test_what_is_no_answer_says_nothing(content: bytes | Callable[[bytes], bytes]) -> None:
    question = revocation_ocsp.ask(PARTNER.certificate, AUTHORITY.certificate)
    whole = Saying().answer(question.content, PARTNER.certificate, AUTHORITY, NOW)
    with pytest.raises(AnswerNotBelieved):
        revocation_ocsp.read(content if isinstance(content, bytes) else content(whole), question, NOW)


def test_no_two_questions_are_the_same() -> None:
    one, two = (revocation_ocsp.ask(PARTNER.certificate, AUTHORITY.certificate) for _ in range(2))
    assert one.content != two.content
    content = Saying().answer(one.content, PARTNER.certificate, AUTHORITY, NOW)
    with pytest.raises(AnswerNotBelieved, match="another question"):
        revocation_ocsp.read(content, two, NOW)


QUESTION = revocation_ocsp.ask(PARTNER.certificate, AUTHORITY.certificate)
WHOLE = Saying(REVOKED, signer=RESPONDER).answer(QUESTION.content, PARTNER.certificate, AUTHORITY, NOW)


@given(data=st.data())
def test_no_changed_byte_makes_another_answer(data: st.DataObject) -> None:
    changed = bytearray(WHOLE)
    position = data.draw(st.integers(0, len(changed) - 1))
    changed[position] ^= data.draw(st.integers(1, 255))
    try:
        answer = revocation_ocsp.read(bytes(changed), QUESTION, NOW)
    except AnswerNotBelieved:
        return
    assert answer == revocation_ocsp.read(WHOLE, QUESTION, NOW)


def test_a_key_on_another_curve_counts_as_little_as_elsewhere() -> None:
    weak = issued("responder", AUTHORITY, NOW, purposes=(ExtendedKeyUsageOID.OCSP_SIGNING,), key=_weak())
    with pytest.raises(AnswerNotBelieved):
        read(Saying(signer=weak))


def _weak() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256K1())

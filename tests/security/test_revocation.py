"""Lists of issuers: what they revoke is refused, what is not known is told apart, and how old they may be."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from errors import (
    ConfigurationError,
    ExpiredCertificate,
    RevocationUnknown,
    RevokedCertificate,
    UntrustedCertificate,
)
from security import certificates, revocation
from security.keys import Identity
from security.revocation import Rules, Status, Verdict
from tests.security.revoking import HOUR, POINT, issued, part, pem, revoking

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
AUTHORITY = issued("authority", None, NOW, ca=True)
PARTNER = issued("partner", AUTHORITY, NOW)
SERIAL = PARTNER.certificate.serial_number
REMOVED = x509.ReasonFlags.remove_from_crl


def check(
    *lists: x509.CertificateRevocationList,
    rules: Rules | None = None,
    now: datetime = NOW,
    partner: Identity = PARTNER,
    authorities: tuple[Identity, ...] = (AUTHORITY,),
) -> None:
    trusted = tuple(one.certificate for one in authorities)
    # As they lie in a file: what a file may not hold is no list here.
    read = tuple(revocation.read_lists(pem(*lists))) if lists else ()
    certificates.check(partner.certificate, trusted, read, now, rules or Rules())


@pytest.mark.parametrize(
    ("partner", "error"),
    [
        (issued("partner", AUTHORITY, NOW, days=-1), ExpiredCertificate),
        (issued("partner", AUTHORITY, NOW + timedelta(days=61)), UntrustedCertificate),
        (issued("partner", issued("authority", None, NOW, ca=True), NOW), UntrustedCertificate),
        (issued("partner", AUTHORITY, NOW, serial=7), RevokedCertificate),
        (PARTNER, RevocationUnknown),
    ],
)
def test_each_reason_has_a_code_of_its_own(partner: Identity, error: type[UntrustedCertificate]) -> None:
    lists = revoking(AUTHORITY, NOW - 2 * DAY, 7)
    with pytest.raises(UntrustedCertificate) as refused:
        check(lists, partner=partner)
    assert type(refused.value) is error


def test_an_issuer_without_a_list_or_a_responder_is_not_held_to_one() -> None:
    check()
    other = issued("other", None, NOW, ca=True)
    check(revoking(other, NOW - 9 * DAY), authorities=(AUTHORITY, other))


@pytest.mark.parametrize(
    ("age", "grace", "refuse", "known"),
    [
        (timedelta(0), timedelta(0), True, True),
        (DAY, timedelta(0), True, True),  # the end itself still counts
        (DAY + timedelta(seconds=1), timedelta(0), True, False),
        (DAY + 2 * HOUR, 2 * HOUR, True, True),
        (DAY + 2 * HOUR + timedelta(seconds=1), 2 * HOUR, True, False),
        (9 * DAY, 2 * HOUR, False, True),
    ],
)
def test_a_list_counts_until_its_end_and_its_grace(
    age: timedelta, grace: timedelta, refuse: bool, known: bool
) -> None:
    rules = Rules(grace=grace, refuse_stale=refuse)
    lists = revoking(AUTHORITY, NOW - age, 1)
    if known:
        check(lists, rules=rules)
    else:
        with pytest.raises(RevocationUnknown, match="out of date"):
            check(lists, rules=rules)


@pytest.mark.parametrize("refuse", [True, False])
def test_what_a_stale_list_revokes_is_always_refused(refuse: bool) -> None:
    with pytest.raises(RevokedCertificate):
        check(revoking(AUTHORITY, NOW - 99 * DAY, SERIAL), rules=Rules(refuse_stale=refuse))


@pytest.mark.parametrize("refuse", [True, False])
def test_a_list_that_is_to_be_fetched_is_missed(refuse: bool) -> None:
    rules = Rules(refuse_stale=refuse, listed=frozenset({AUTHORITY.certificate}))
    if refuse:
        with pytest.raises(RevocationUnknown, match="nothing is known"):
            check(rules=rules)
    else:
        check(rules=rules)
    check(revoking(AUTHORITY, NOW), rules=rules)


def test_of_several_lists_the_newest_says_how_old_it_is() -> None:
    old = revoking(AUTHORITY, NOW - 3 * DAY, number=4, end=NOW + 9 * DAY)
    new = revoking(AUTHORITY, NOW - 2 * DAY, number=5)
    check(old)
    with pytest.raises(RevocationUnknown):
        check(new, old)
    # The number decides before the instant does.
    check(revoking(AUTHORITY, NOW - 4 * DAY, number=6, end=NOW + DAY), old, new)
    # One of a time to come does not count yet.
    with pytest.raises(RevocationUnknown):
        check(revoking(AUTHORITY, NOW + HOUR, number=7), new)


@pytest.mark.parametrize("numbers", [(1, 2), (2, 1), (None, None)])
def test_a_certificate_that_any_list_names_is_refused(numbers: tuple[int | None, int | None]) -> None:
    lists = [
        revoking(AUTHORITY, NOW, SERIAL, number=numbers[0]),
        revoking(AUTHORITY, NOW, 1, number=numbers[1]),
    ]
    with pytest.raises(RevokedCertificate):
        check(*lists)
    with pytest.raises(RevokedCertificate):
        check(*reversed(lists))


def test_a_newer_list_releases_a_certificate_by_name_only() -> None:
    held = revoking(AUTHORITY, NOW - DAY, SERIAL, number=1, reason=x509.ReasonFlags.certificate_hold)
    released = revoking(AUTHORITY, NOW, SERIAL, number=2, reason=REMOVED)
    check(held, released)
    check(released)
    with pytest.raises(RevokedCertificate):
        check(held)
    with pytest.raises(RevokedCertificate):
        check(released, revoking(AUTHORITY, NOW, SERIAL, number=3))
    with pytest.raises(RevokedCertificate):
        check(released, revoking(AUTHORITY, NOW, SERIAL, number=2))


def test_a_forged_list_is_known_as_one() -> None:
    stranger = issued("authority", None, NOW, ca=True)
    with pytest.raises(RevocationUnknown, match="not signed by the issuer"):
        check(revoking(AUTHORITY, NOW, signer=stranger.key))


def test_an_authority_with_a_new_key_has_lists_of_its_own() -> None:
    successor = issued("authority", None, NOW, ca=True)
    both = (AUTHORITY, successor)
    lists = [revoking(AUTHORITY, NOW, 1), revoking(successor, NOW, SERIAL)]
    check(*lists, authorities=both)
    renewed = issued("partner", successor, NOW, serial=SERIAL)
    with pytest.raises(RevokedCertificate):
        check(*lists, authorities=both, partner=renewed)


def test_an_intermediate_authority_may_be_revoked() -> None:
    below = issued("below", AUTHORITY, NOW, ca=True)
    partner = issued("partner", below, NOW)
    check(authorities=(AUTHORITY, below), partner=partner)
    # Trusted by itself it is the end of the chain: what stands above it is not asked.
    check(
        revoking(AUTHORITY, NOW, below.certificate.serial_number),
        authorities=(AUTHORITY, below),
        partner=partner,
    )


@pytest.mark.parametrize(
    ("extension", "point", "known"),
    [
        (part(only_contains_user_certs=True), "", True),
        (part(only_contains_ca_certs=True), "", False),
        (part(POINT), POINT, True),
        (part(POINT), "http://crl.example/other.crl", False),
        (part(POINT), "", False),
    ],
)
def test_a_list_of_a_part_says_nothing_about_the_others(
    extension: x509.IssuingDistributionPoint, point: str, known: bool
) -> None:
    partner = issued("partner", AUTHORITY, NOW, point=point)
    lists = revoking(AUTHORITY, NOW, more=[(extension, True)])
    if known:
        check(lists, partner=partner)
    else:
        with pytest.raises(RevocationUnknown):
            check(lists, partner=partner)


UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
SOME_REASONS = x509.IssuingDistributionPoint(
    None, None, False, False, frozenset({x509.ReasonFlags.key_compromise}), False, False
)


@pytest.mark.parametrize(
    ("lists", "why"),
    [
        (revoking(AUTHORITY, NOW, more=[(x509.DeltaCRLIndicator(1), True)]), "delta"),
        (revoking(AUTHORITY, NOW, more=[(part(indirect_crl=True), True)]), "indirect"),
        (revoking(AUTHORITY, NOW, more=[(part(only_contains_attribute_certs=True), True)]), "indirect"),
        (revoking(AUTHORITY, NOW, more=[(SOME_REASONS, True)]), "indirect"),
        (revoking(AUTHORITY, NOW, more=[(UNKNOWN, True)]), "critical extension"),
        (
            revoking(
                AUTHORITY,
                NOW,
                1,
                more_of_entry=[(x509.CertificateIssuer([x509.DNSName("other.example")]), True)],
            ),
            "entry",
        ),
        (revoking(AUTHORITY, NOW, 1, more_of_entry=[(UNKNOWN, True)]), "entry"),
    ],
)
def test_a_list_that_is_not_understood_is_refused_by_name(
    lists: x509.CertificateRevocationList, why: str, tmp_path: Path
) -> None:
    (tmp_path / "agency.pem").write_bytes(pem(lists))
    with pytest.raises(ConfigurationError, match=rf"agency\.pem: .*{why}"):
        certificates.load_revocations(tmp_path)


def test_lists_are_read_in_both_forms() -> None:
    lists = revoking(AUTHORITY, NOW, 1, more=[(UNKNOWN, False)])
    assert revocation.read_lists(lists.public_bytes(Encoding.DER)) == [lists]
    assert revocation.read_lists(b"Of March:\n" + pem(lists, lists)) == [lists, lists]
    for content in (b"", b"no list", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"):
        with pytest.raises(ConfigurationError):
            revocation.read_lists(content)


GOOD = Verdict(Status.GOOD, NOW + HOUR)


@pytest.mark.parametrize(
    ("verdict", "error"),
    [
        (GOOD, None),
        (None, RevocationUnknown),
        (Verdict(Status.GOOD, NOW - HOUR), None),  # within the grace
        (Verdict(Status.GOOD, NOW - 3 * HOUR), RevocationUnknown),
        (Verdict(Status.REVOKED, NOW - 99 * DAY), RevokedCertificate),
        (Verdict(Status.UNKNOWN, NOW + HOUR), RevocationUnknown),
    ],
)
def test_a_stored_answer_is_held_to_the_same_policy(
    verdict: Verdict | None, error: type[UntrustedCertificate] | None
) -> None:
    rules = Rules(
        grace=2 * HOUR, answering=frozenset({AUTHORITY.certificate}), verdict=lambda _certificate: verdict
    )
    if error is None:
        check(rules=rules)
    else:
        with pytest.raises(error):
            check(rules=rules)
    lenient = dataclasses.replace(rules, refuse_stale=False)
    if verdict is None or verdict.status is Status.GOOD:
        check(rules=lenient)
    else:
        with pytest.raises(UntrustedCertificate):
            check(rules=lenient)


def test_of_a_list_and_an_answer_one_in_time_is_enough_and_each_revokes() -> None:
    verdict = GOOD
    rules = Rules(answering=frozenset({AUTHORITY.certificate}), verdict=lambda _certificate: verdict)
    check(revoking(AUTHORITY, NOW - 9 * DAY), rules=rules)
    with pytest.raises(RevokedCertificate):
        check(revoking(AUTHORITY, NOW, SERIAL), rules=rules)
    verdict = Verdict(Status.GOOD, NOW - HOUR)
    check(revoking(AUTHORITY, NOW), rules=rules)
    with pytest.raises(RevocationUnknown):
        check(revoking(AUTHORITY, NOW - 9 * DAY), rules=rules)
    verdict = Verdict(Status.REVOKED, NOW + HOUR)
    with pytest.raises(RevokedCertificate):
        check(revoking(AUTHORITY, NOW), rules=rules)


def test_no_answer_is_read_for_an_issuer_without_a_responder() -> None:
    def verdict(_certificate: x509.Certificate) -> Verdict | None:
        raise AssertionError("asked")

    check(rules=Rules(verdict=verdict))

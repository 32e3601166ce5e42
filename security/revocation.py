"""Whether a certificate was revoked, as far as its issuer's lists and stored answers say, and how old they may be.

Nothing here asks anybody: lists lie in files, answers of OCSP responders are stored. What either of them revokes is
refused, however old it is. Only an issuer that has a list or a responder is held to be up to date.
Source: RFC 5280 (5, revocation lists), RFC 6960 (answers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from errors import ConfigurationError, RevocationUnknown, RevokedCertificate

# Clocks of issuers and ours differ a little.
SKEW = timedelta(minutes=5)

_BEGIN = b"-----BEGIN X509 CRL-----"
# What the library raises for a list that it cannot read; not all of it is a ValueError.
_UNREADABLE = (ValueError, TypeError, x509.DuplicateExtension, UnsupportedAlgorithm)


class Status(StrEnum):
    """What a responder says of a certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"  # the responder does not know such a certificate


@dataclass(frozen=True, slots=True)
class Verdict:
    """The last verified answer of a responder on one certificate, and the instant until which it holds."""

    status: Status
    ends: datetime


class _Same:
    """A list as a key: the library's lists have no hash, and their digest takes as long as a signature."""

    __slots__ = ("revocations",)

    def __init__(self, revocations: x509.CertificateRevocationList) -> None:
        self.revocations = revocations

    def __hash__(self) -> int:
        return id(self.revocations)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.revocations is other.revocations


class Memory:
    """What was found out about the lists of a policy: found once, since a list has megabytes and every message asks.

    It goes with the policy, so that lists that were replaced are forgotten.
    """

    def __init__(self) -> None:
        self._signed = lru_cache(maxsize=None)(_signed)
        self._entries = lru_cache(maxsize=None)(_entries)

    def is_signed_by(self, revocations: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
        """Whether a list is the issuer's: in its name and signed by its key."""
        return revocations.issuer == issuer.subject and self._signed(_Same(revocations), issuer)

    def entries(self, revocations: x509.CertificateRevocationList) -> Mapping[int, bool]:
        """The serial numbers that a list names, each with whether it is released."""
        return self._entries(_Same(revocations))


def _signed(same: _Same, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    return isinstance(
        key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    ) and same.revocations.is_signature_valid(key)


def _entries(same: _Same) -> Mapping[int, bool]:
    entries: dict[int, bool] = {}
    for entry in same.revocations:
        # Named twice, it is released only where both say so.
        entries[entry.serial_number] = entries.get(entry.serial_number, True) and _releases(entry)
    return entries


def _no_verdict(_certificate: x509.Certificate) -> Verdict | None:
    return None


@dataclass(frozen=True, slots=True)
class Rules:
    """Who is held to what, and how old it may be.

    Shape: `grace` counts from the end of a list or an answer; after it `refuse_stale` decides. Issuers in `listed` are
    held to a list even while there is none, those in `answering` to a stored answer, which `verdict` gives. `memory`
    is kept by whoever checks with the same lists again.
    """

    grace: timedelta = timedelta(0)
    refuse_stale: bool = True
    listed: frozenset[x509.Certificate] = frozenset()
    answering: frozenset[x509.Certificate] = frozenset()
    verdict: Callable[[x509.Certificate], Verdict | None] = _no_verdict
    memory: Memory | None = None


def read_lists(content: bytes) -> list[x509.CertificateRevocationList]:
    """Read every revocation list of a PEM text, or the one of DER bytes.

    Raises: ConfigurationError for one that cannot be read or means something that is not understood here: a delta, an
    indirect list, one of some reasons only, without nextUpdate.
    """
    try:
        if b"-----BEGIN" in content:
            # The library reads the first list of a text only; the ones behind it revoke as well.
            begin, *rest = content.split(_BEGIN)
            lists = [x509.load_pem_x509_crl(_BEGIN + one) for one in (rest or [begin])]
        else:
            lists = [x509.load_der_x509_crl(content)]
        for one in lists:
            _refuse_not_understood(one)
    except _UNREADABLE as error:
        raise ConfigurationError("no revocation list that can be read") from error
    return lists


def number(revocations: x509.CertificateRevocationList) -> int:
    """The CRL number; -1 without one."""
    try:
        return revocations.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return -1


def age_key(revocations: x509.CertificateRevocationList) -> tuple[int, datetime]:
    """What tells the newer of two lists: the CRL number, then thisUpdate."""
    return number(revocations), revocations.last_update_utc


def ends(revocations: x509.CertificateRevocationList) -> datetime:
    """The instant until which a list is up to date.

    Raises: ConfigurationError without nextUpdate, which RFC 5280 demands.
    """
    end = revocations.next_update_utc
    if end is None:
        raise ConfigurationError("a revocation list without nextUpdate")
    return end


def newest(
    revocations: Sequence[x509.CertificateRevocationList],
    issuer: x509.Certificate,
    now: datetime,
    memory: Memory,
) -> x509.CertificateRevocationList | None:
    """The newest of an issuer's lists; one that is not valid yet does not count."""
    valid = [
        one for one in revocations if memory.is_signed_by(one, issuer) and one.last_update_utc <= now + SKEW
    ]
    return max(valid, key=age_key, default=None)


def own(
    revocations: Sequence[x509.CertificateRevocationList],
    issuer: x509.Certificate,
    authorities: Sequence[x509.Certificate],
    memory: Memory,
) -> list[x509.CertificateRevocationList]:
    """The lists of an issuer. Another authority of the same name (a new key) has lists of its own.

    Raises: RevocationUnknown when a list in its name is signed by no authority of that name.
    """
    found = []
    for one in revocations:
        if one.issuer != issuer.subject:
            continue
        if memory.is_signed_by(one, issuer):
            found.append(one)
        elif not any(memory.is_signed_by(one, other) for other in authorities):
            raise RevocationUnknown("a list in the name of its issuer is not signed by the issuer")
    return found


def check(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    revocations: Sequence[x509.CertificateRevocationList],
    authorities: Sequence[x509.Certificate],
    rules: Rules,
    now: datetime,
) -> None:
    """Check that a certificate is not revoked, and that this is known.

    Shape: a certificate that any list of the issuer names is refused, unless a newer one releases it
    (removeFromCRL); so is one that a stored answer revokes. Else the newest list that covers the certificate, or the
    answer, must be up to date or within its grace: one of them is enough.
    Raises: RevokedCertificate, RevocationUnknown.
    """
    memory = rules.memory or Memory()
    lists = own(revocations, issuer, authorities, memory)
    if _named(certificate.serial_number, lists, memory):
        raise RevokedCertificate("named in a list of its issuer")
    answering = issuer in rules.answering and not _is_authority(certificate)
    verdict = rules.verdict(certificate) if answering else None
    if verdict is not None and verdict.status is Status.REVOKED:
        raise RevokedCertificate("by the answer of its issuer's responder")
    if verdict is not None and verdict.status is Status.UNKNOWN:
        raise RevocationUnknown("its issuer's responder does not know it")
    if not (lists or answering or issuer in rules.listed):
        return
    covering = [one for one in lists if _covers(one, certificate)]
    newest_covering = newest(covering, issuer, now, memory)
    known = [ends(newest_covering)] if newest_covering is not None else []
    known += [verdict.ends] if verdict is not None else []
    if rules.refuse_stale and not any(now <= end + rules.grace for end in known):
        raise RevocationUnknown("stale: what its issuer said is out of date" if known else "nothing is known")


def _named(serial: int, lists: Sequence[x509.CertificateRevocationList], memory: Memory) -> bool:
    """Whether a serial number is revoked: by any list that no newer one takes back."""
    released: tuple[int, datetime] | None = None
    for one in sorted(lists, key=age_key, reverse=True):
        releases = memory.entries(one).get(serial)
        if releases is None:
            continue
        if not releases:
            return released is None or age_key(one) >= released
        released = released or age_key(one)
    return False


def _releases(entry: x509.RevokedCertificate) -> bool:
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return False
    return reason is x509.ReasonFlags.remove_from_crl


def _covers(revocations: x509.CertificateRevocationList, certificate: x509.Certificate) -> bool:
    """Whether a list would name a certificate if it were revoked: a list may be of a part of the certificates."""
    try:
        part = revocations.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return True
    authority = _is_authority(certificate)
    if (part.only_contains_user_certs and authority) or (part.only_contains_ca_certs and not authority):
        return False
    return part.full_name is None or any(name in part.full_name for name in _points(certificate))


def _points(certificate: x509.Certificate) -> Iterator[x509.GeneralName]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return
    for point in points:
        yield from point.full_name or ()


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _refuse_not_understood(revocations: x509.CertificateRevocationList) -> None:
    """Refuse a list that says less, or more, than which certificates of its issuer are revoked.

    Raises: ConfigurationError.
    """
    ends(revocations)
    for extension in revocations.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            raise ConfigurationError("a delta revocation list; put the complete one there")
        if isinstance(value, x509.IssuingDistributionPoint):
            if value.indirect_crl or value.only_contains_attribute_certs or value.only_some_reasons:
                raise ConfigurationError("an indirect revocation list, or one of some certificates' reasons")
            if value.relative_name is not None:
                raise ConfigurationError("a revocation list of a distribution point by relative name")
        elif extension.critical:
            raise ConfigurationError("a revocation list with a critical extension that is not known")
    for entry in revocations:
        for extension in entry.extensions:
            if extension.critical and not isinstance(extension.value, x509.CRLReason | x509.InvalidityDate):
                raise ConfigurationError("a revocation list with an entry that is not understood")

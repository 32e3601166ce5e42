"""When the certificates end on which exchanges depend: our own, those of listeners, of authorities and of partners."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from sqlalchemy import Engine

from config import Settings
from errors import ConfigurationError
from exchange import Environment
from routing.parties import list_partners
from routing.revocations import signers
from security.certificates import load_authorities
from storage import reading

# Without these nothing can be signed or reached; the others concern one party each.
OWN = frozenset({"gateway", "listener"})
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Expiry:
    """The end of one certificate.

    `kind` is gateway (signs what leaves), listener, authority (in trust/ or of a listener's clients), system (signs
    answers), partner or responder (signs what it says of revocation); `name` is a setting, a file or a registered name.
    """

    kind: str
    name: str
    ends: datetime

    def days_left(self, now: datetime) -> float:
        """Days until the end; negative when it is over."""
        return (self.ends - now).total_seconds() / _DAY


def files(settings: Settings) -> Iterator[Expiry]:
    """The certificates that lie in files.

    Raises: ConfigurationError naming a file that cannot be read.
    """
    yield _first("gateway", "gateway.pem", settings.keys / "gateway.pem")
    for name, listen in (("listen.partners", settings.partners), ("listen.internal", settings.internal)):
        if listen.certificate is not None:
            yield _first("listener", name, listen.certificate)
        if listen.client_ca is not None:
            yield from _all("authority", f"{name} {listen.client_ca.name}", listen.client_ca)
    for path in sorted(settings.trust.glob("*.pem")):
        yield from _all("authority", f"trust/{path.name}", path)
    test_authority = settings.keys / "authority.pem"
    if settings.environment is Environment.TEST and test_authority.exists():
        yield from _all("authority", test_authority.name, test_authority)
    for name, system in sorted(settings.systems.items()):
        if system.trust.exists():
            yield from _all("system", name, system.trust)


def partners(engine: Engine) -> list[Expiry]:
    """For each active partner the certificate that holds longest: the older one is on its way out.

    Raises: SQLAlchemyError.
    """
    with reading(engine).begin() as connection:
        active = [partner for partner in list_partners(connection) if not partner.disabled]
    ends: dict[str, datetime] = {}
    for partner in active:
        end = partner.certificate.not_valid_after_utc
        ends[partner.name] = max(end, ends.get(partner.name, end))
    return [Expiry("partner", name, end) for name, end in ends.items()]


def responders(settings: Settings, engine: Engine) -> list[Expiry]:
    """For each issuer that is asked the certificate by which its responder last signed, where it is not the issuer's.

    Raises: SQLAlchemyError.
    """
    asked = {source.issuer for source in settings.revocation.ocsp}
    with reading(engine).begin() as connection:
        return [Expiry("responder", name, end) for name, end in signers(connection) if name in asked]


def every(settings: Settings, engine: Engine) -> list[Expiry]:
    """All of them. Raises: ConfigurationError, SQLAlchemyError."""
    return [*files(settings), *partners(engine), *responders(settings, engine)]


def soonest(expiries: Iterable[Expiry], now: datetime) -> dict[str, float]:
    """Days left of the one that ends first, by kind."""
    days: dict[str, float] = {}
    for expiry in expiries:
        left = expiry.days_left(now)
        days[expiry.kind] = min(left, days.get(expiry.kind, left))
    return days


def _all(kind: str, name: str, path: Path) -> Iterator[Expiry]:
    return (Expiry(kind, name, found.not_valid_after_utc) for found in load_authorities(path))


def _first(kind: str, name: str, path: Path) -> Expiry:
    try:
        certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError, IndexError) as error:
        raise ConfigurationError(f"{path}: no certificate in PEM") from error
    return Expiry(kind, name, certificate.not_valid_after_utc)

"""The job that looks when certificates end. Each host has files of its own, so every process looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from endpoints import expiry
from endpoints.expiry import Expiry
from errors import ConfigurationError
from exchange import utc_now
from gateway import Gateway
from routing.incidents import Finding

# Days before its end at which a certificate is told of, each graver than the one before.
DAYS = (30, 7, 1)


class Certificates:
    """Looks when it is told to; the watch tells of what was found last, so that one incident is one alert."""

    def __init__(self, gateway: Gateway, clock: Callable[[], datetime] = utc_now) -> None:
        self._gateway = gateway
        self._clock = clock
        self._files: list[Finding] = []
        self._partners: list[Finding] = []

    def look(self) -> None:
        """Look at the files, and at what partners and responders show. A file that cannot be read is a finding.

        Raises: SQLAlchemyError: what was found before then stands for the partners.
        """
        try:
            self._files = _ending(expiry.files(self._gateway.settings), self._clock())
        except ConfigurationError as error:
            self._files = [Finding("certificate", "files", f"error={type(error).__name__}")]
        settings, engine = self._gateway.settings, self._gateway.engine
        partners = [*expiry.partners(engine), *expiry.responders(settings, engine)]
        self._partners = _ending(partners, self._clock())

    def found(self) -> list[Finding]:
        """Of each certificate that ends soon, what the last look found."""
        return [*self._files, *self._partners]


def _ending(expiries: Iterable[Expiry], now: datetime) -> list[Finding]:
    """Of each certificate that ends soon; of several under one name the one that ends first."""
    ends: dict[str, datetime] = {}
    for one in expiries:
        name = f"{one.kind} {one.name}"
        ends[name] = min(one.ends, ends.get(name, one.ends))
    return [
        Finding("certificate", name, f"days={(end - now) / timedelta(days=1):.1f}", _grade(end - now))
        for name, end in ends.items()
        if end - now <= timedelta(days=DAYS[0])
    ]


def _grade(left: timedelta) -> int:
    return sum(left <= timedelta(days=days) for days in DAYS) - 1

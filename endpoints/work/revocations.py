"""The job that asks whether partners' certificates are revoked: responders by OCSP, and lists by their addresses.

Whom to ask is in the settings alone. Answers are stored in the database for all processes; lists lie in the state
directory, so each host fetches its own. What is not believed changes nothing, and the job is shown as failing.
"""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Engine
from urllib3.exceptions import HTTPError

from config import RevocationSource, Settings
from endpoints.partner_trust import PartnerTrust, issuer
from errors import AnswerRefused, ConfigurationError, GatewayError, SystemTimeout, SystemUnavailable
from exchange import utc_now
from routing import revocations
from routing.parties import Partner
from routing.revocations import Stored
from security import revocation, revocation_ocsp
from security.revocation import Memory, Status
from security.revocation_ocsp import AnswerNotBelieved
from storage import reading

# The job looks so often whether something is due: a partner registered just now is asked for within this time.
EVERY = timedelta(minutes=1)
_CONNECT_SECONDS = 5.0
_ANSWER_BYTES = 64 * 1024
_LIST_BYTES = 32 * 1024 * 1024

diagnostics = logging.getLogger("gateway.revocations")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for one answer of a responder, and for one list."""

    answer: float = 10.0
    fetch: float = 60.0


class Revocations:
    """Asks and fetches for one process; `clock` tells this host's instant."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        *,
        patience: Patience | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._trust = PartnerTrust(settings, engine)
        self._patience = patience or Patience()
        self._clock = clock
        self._period = timedelta(minutes=settings.revocation.ask_minutes)

    def ask(self, _slot: datetime) -> None:
        """Ask every responder about every certificate that is due.

        Raises: SystemUnavailable when one was not reached, AnswerRefused when an answer was not believed.
        """
        self._each(self._settings.revocation.ocsp, self._ask)

    def fetch(self, _slot: datetime) -> None:
        """Fetch every list that is due on this host.

        Raises: SystemUnavailable when one was not reached, AnswerRefused when a list was not believed.
        """
        folder = self._settings.fetched_lists
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(folder / ".lock") as alone:
            if alone:  # else another process of this host is at it
                self._each(self._settings.revocation.crl, self._fetch)

    def _each(
        self,
        sources: tuple[RevocationSource, ...],
        work: Callable[[requests.Session, RevocationSource], None],
    ) -> None:
        """One issuer that fails does not keep the others from being asked."""
        failed: GatewayError | None = None
        with requests.Session() as session:
            session.trust_env = False
            for source in sources:
                try:
                    work(session, source)
                except GatewayError as error:
                    diagnostics.warning("revocation for %s: %s", source.issuer, error)
                    failed = error
        if failed is not None:
            raise failed

    def _ask(self, session: requests.Session, source: RevocationSource) -> None:
        above, now = issuer(self._settings, source), self._clock()
        with reading(self._engine).begin() as connection:
            partners = revocations.asked_about(connection, above, now)
            known = revocations.stored(connection, [partner.fingerprint for partner in partners])
        due = [partner for partner in partners if self._is_due(known.get(partner.fingerprint), now)]
        # Whoever has waited longest comes first: one that the responder chokes on must not keep it from the others.
        due.sort(key=lambda partner: _asked_at(known.get(partner.fingerprint)))
        not_believed = 0
        for partner in due:
            not_believed += not self._ask_about(session, source, above, partner)
        if not_believed:
            raise AnswerRefused(f"{not_believed} answers of the responder were not believed")

    def _is_due(self, known: Stored | None, now: datetime) -> bool:
        if known is None or known.verdict is None or known.answered_at is None:
            return True
        if known.verdict.status is Status.REVOKED and not known.held:
            return False
        return now >= known.answered_at + self._period or now >= known.verdict.ends

    def _ask_about(
        self, session: requests.Session, source: RevocationSource, above: x509.Certificate, partner: Partner
    ) -> bool:
        """Ask about one certificate and store what was said; whether it was believed.

        Raises: SystemUnavailable; a responder that is not there is not asked further.
        """
        question = revocation_ocsp.ask(partner.certificate, above)
        answer = None
        try:
            content = _call(session, source.url, question.content, _ANSWER_BYTES, self._patience.answer)
            answer = revocation_ocsp.read(content, question, self._clock(), self._trust.policy().crls)
        except (AnswerNotBelieved, AnswerRefused) as error:
            diagnostics.warning("the responder of %s is not believed: %s", source.issuer, error)
        finally:
            with self._engine.begin() as connection:
                taken = revocations.put(connection, partner.fingerprint, source.issuer, answer, self._clock())
        if answer is not None and not taken:
            diagnostics.warning("the responder of %s takes back what it said of a certificate", source.issuer)
        return taken

    def _fetch(self, session: requests.Session, source: RevocationSource) -> None:
        above, now = issuer(self._settings, source), self._clock()
        path = self._settings.fetched_lists / source.issuer
        held = _held(path, above)
        if held is not None and now < _fetched_at(path) + self._period and now < revocation.ends(held):
            return
        content = _call(session, source.url, None, _LIST_BYTES, self._patience.fetch)
        try:
            found = revocation.read_lists(content)
        except ConfigurationError as error:
            raise AnswerRefused(error.detail) from error
        if len(found) != 1 or not Memory().is_signed_by(found[0], above):
            raise AnswerRefused("what was fetched is not one list signed by the issuer")
        if found[0].last_update_utc > now + revocation.SKEW:
            raise AnswerRefused("the list that was fetched is of a time to come")
        if held is not None and revocation.age_key(found[0]) < revocation.age_key(held):
            raise AnswerRefused("the list that was fetched is older than the one held")
        _replace(path, found[0].public_bytes(Encoding.PEM))


def _call(session: requests.Session, url: str, content: bytes | None, most: int, seconds: float) -> bytes:
    """Post a question, or get a list: no redirect, no proxy, no more bytes and no more time than allowed.

    Raises: SystemUnavailable, SystemTimeout, AnswerRefused.
    """
    until = time.monotonic() + seconds
    headers = {"Accept-Encoding": "identity"}
    if content is not None:
        headers |= {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}
    try:
        with session.request(
            "GET" if content is None else "POST",
            url,
            data=content,
            headers=headers,
            timeout=(min(seconds, _CONNECT_SECONDS), seconds),
            stream=True,
            allow_redirects=False,
        ) as response:
            if response.status_code != 200:
                raise SystemUnavailable(f"HTTP {response.status_code}")
            return _body(response, most, until)
    except requests.Timeout as error:
        raise SystemTimeout from error
    except (requests.RequestException, HTTPError) as error:
        raise SystemUnavailable from error


def _body(response: requests.Response, most: int, until: float) -> bytes:
    found = b""
    # What has arrived, whenever some has: a drop now and then must not buy more time.
    while part := response.raw.read1(65536, decode_content=False):
        found += part
        if len(found) > most:
            raise AnswerRefused("over the size limit")
        if time.monotonic() > until:
            raise SystemTimeout
    return found


def _asked_at(known: Stored | None) -> datetime:
    return datetime.min.replace(tzinfo=UTC) if known is None else known.asked_at


def _held(path: Path, above: x509.Certificate) -> x509.CertificateRevocationList | None:
    """The list that was fetched before, if it is one of this issuer."""
    try:
        (held,) = revocation.read_lists(path.read_bytes())
    except (OSError, ValueError, ConfigurationError):
        return None
    return held if Memory().is_signed_by(held, above) else None


def _fetched_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _replace(path: Path, content: bytes) -> None:
    """The whole file or the old one, whatever happens."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".fetched-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True

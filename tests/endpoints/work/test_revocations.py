"""The job that asks whether partners' certificates are revoked, over real sockets: what is wrong changes nothing."""

from __future__ import annotations

import dataclasses
import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from sqlalchemy import Engine

import config
from config import RevocationSource, Settings
from endpoints import expiry, revocation_state
from endpoints.partner_trust import PartnerTrust
from endpoints.work.revocations import Patience, Revocations
from errors import (
    AnswerRefused,
    ConfigurationError,
    GatewayError,
    RevocationUnknown,
    RevokedCertificate,
    SystemTimeout,
    SystemUnavailable,
)
from exchange import Environment, utc_now
from routing.parties import add_partner, disable_partner
from routing.revocations import put, stored
from security import certificates, revocation
from security.keys import Identity, fingerprint
from security.revocation import Status
from security.revocation_ocsp import Answer
from tests.endpoints.work.responders import OpenSsl, Server, Told, server
from tests.security.revoking import HOUR, Saying, delegated, issued, pem, revoking

NOW = utc_now().replace(microsecond=0)
SLOT = NOW
AUTHORITY = issued("agency authority", None, NOW, ca=True)
OTHER = issued("other authority", None, NOW, ca=True)
RESPONDER = delegated(AUTHORITY, NOW)
REVOKED = ocsp.OCSPCertStatus.REVOKED
# Long for a machine that is busy, short for a test that waits for it to pass.
PATIENCE = Patience(answer=2.0, fetch=2.0)


@dataclass
class Home:
    """Settings and a database with one partner, and the job's clock, which a test may set."""

    engine: Engine
    settings: Settings
    partner: Identity
    now: datetime = NOW

    def job(self) -> Revocations:
        return Revocations(self.engine, self.settings, patience=PATIENCE, clock=lambda: self.now)

    def configure(self, **changes: object) -> None:
        known = dataclasses.replace(self.settings.revocation, **changes)  # type: ignore[arg-type] # fields by name
        self.settings = dataclasses.replace(self.settings, revocation=known)

    def ask(self, url: str) -> None:
        self.configure(ocsp=(RevocationSource("agency.pem", url),))
        self.job().ask(SLOT)

    def fetch(self, url: str) -> None:
        self.configure(crl=(RevocationSource("agency.pem", url),))
        self.job().fetch(SLOT)

    def check(self) -> None:
        """As a message of the partner is checked."""
        policy = PartnerTrust(self.settings, self.engine).policy()
        certificates.check(
            self.partner.certificate, policy.authorities, policy.crls, self.now, policy.revocation
        )

    def status(self) -> Status | None:
        mark = fingerprint(self.partner.certificate)
        with self.engine.begin() as connection:
            found = stored(connection, [mark]).get(mark)
        return None if found is None or found.verdict is None else found.verdict.status

    def register(self, name: str, identity: Identity) -> None:
        with self.engine.begin() as connection:
            add_partner(connection, name, name, identity.certificate, NOW)

    def responder(self, saying: Saying) -> Callable[[bytes], Told]:
        """How a server answers about the partner."""
        return lambda asked: Told(saying.answer(asked, self.partner.certificate, AUTHORITY, self.now))

    @property
    def fetched(self) -> Path:
        return self.settings.fetched_lists / "agency.pem"


@pytest.fixture
def home(engine: Engine, tmp_path: Path) -> Home:
    for name in ("trust", "crl"):
        (tmp_path / name).mkdir()
    for name, identity in (("agency", AUTHORITY), ("other", OTHER)):
        (tmp_path / "trust" / f"{name}.pem").write_bytes(identity.certificate.public_bytes(Encoding.PEM))
    settings = dataclasses.replace(
        config.load({}),
        environment=Environment.TEST,
        state=tmp_path / "state",
        trust=tmp_path / "trust",
        crl=tmp_path / "crl",
    )
    found = Home(engine, settings, issued("partner", AUTHORITY, NOW))
    found.register("partner", found.partner)
    return found


@pytest.mark.parametrize("signer", [AUTHORITY, RESPONDER], ids=["issuer", "delegated"])
def test_openssl_is_asked_and_revoked_is_remembered_when_it_is_silent(
    home: Home, tmp_path: Path, signer: Identity
) -> None:
    (tmp_path / "openssl").mkdir()
    responder = OpenSsl(tmp_path / "openssl", AUTHORITY, signer)
    certificate = home.partner.certificate
    home.now = utc_now()
    try:
        responder.start((certificate, False))
        home.ask(responder.url)
        home.check()
        assert home.status() is Status.GOOD
        ends = [one.ends for one in expiry.responders(home.settings, home.engine)]
        assert ends == ([] if signer is AUTHORITY else [RESPONDER.certificate.not_valid_after_utc])
        responder.stop()
        home.configure(ask_minutes=0.0001)
        responder.start((certificate, True))
        home.now = utc_now()
        home.ask(responder.url)
        with pytest.raises(RevokedCertificate):
            home.check()
    finally:
        responder.stop()
    for later in (0, 1000):
        home.now = NOW + timedelta(hours=later)
        home.ask(responder.url)  # of what was revoked for good nobody is asked again
        home.configure(when_stale="accept")
        home.now = NOW + timedelta(days=20)
        with pytest.raises(RevokedCertificate):
            home.check()


WRONG: dict[str, Callable[[Home], Callable[[bytes], Told | None]]] = {
    "signed by a stranger": lambda home: home.responder(Saying(signer=delegated(OTHER, NOW))),
    "delegated without the usage": lambda home: home.responder(
        Saying(signer=delegated(AUTHORITY, NOW, ExtendedKeyUsageOID.SERVER_AUTH))
    ),
    "delegation that has ended": lambda home: home.responder(
        Saying(signer=delegated(AUTHORITY, NOW, days=-1))
    ),
    "of another certificate": lambda home: home.responder(
        Saying(about=issued("another", AUTHORITY, NOW).certificate)
    ),
    "out of date": lambda home: home.responder(Saying(begin=-3 * HOUR, end=-HOUR)),
    "of a time to come": lambda home: home.responder(Saying(begin=HOUR, end=2 * HOUR)),
    "an answer to another question": lambda home: home.responder(Saying(nonce=bytes(16))),
    "try later": lambda _home: (
        lambda _asked: Told(
            ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(
                Encoding.DER
            )
        )
    ),
    "a page": lambda _home: lambda _asked: Told(b"<html>sorry</html>"),
    "nothing in it": lambda _home: lambda _asked: Told(b""),
    # Right in everything but its size.
    "huge": lambda home: home.responder(Saying(signer=RESPONDER, enclosed=[RESPONDER.certificate] * 200)),
    "huge, and says so": lambda home: (
        lambda asked: Told(home.responder(Saying())(asked).body, headers={"Content-Length": str(10**12)})
    ),
    "an error": lambda home: lambda asked: Told(home.responder(Saying())(asked).body, status=500),
    "cut off": lambda home: (
        lambda asked: Told(home.responder(Saying())(asked).body[:-9], headers={"Content-Length": "9999"})
    ),
    "silent": lambda _home: lambda _asked: None,
    "byte by byte": lambda home: lambda asked: Told(home.responder(Saying())(asked).body, drops=0.3),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_answer_changes_nothing(home: Home, wrong: str) -> None:
    with server(WRONG[wrong](home)) as responder:
        with pytest.raises((AnswerRefused, SystemUnavailable)):
            home.ask(responder.url)
        assert len(responder.asked) == 1
        assert home.status() is None
        with pytest.raises(RevocationUnknown):
            home.check()
        # What was said before still counts, until it ends and its grace is over.
        responder.answer = home.responder(Saying(end=2 * HOUR))
        home.ask(responder.url)
        home.check()
        home.now = NOW + timedelta(minutes=90)
        responder.answer = WRONG[wrong](home)
        with pytest.raises((AnswerRefused, SystemUnavailable)):
            home.ask(responder.url)
        assert home.status() is Status.GOOD
        home.check()


def test_an_answer_counts_until_its_grace_is_over(home: Home) -> None:
    with server(home.responder(Saying(end=HOUR))) as responder:
        home.ask(responder.url)
    home.configure(stale_hours=2.0)
    home.now = NOW + 3 * HOUR
    home.check()
    home.now = NOW + 3 * HOUR + timedelta(seconds=1)
    with pytest.raises(RevocationUnknown, match="out of date"):
        home.check()
    home.configure(when_stale="accept")
    home.check()


def test_a_redirect_is_not_followed(home: Home) -> None:
    with server(home.responder(Saying())) as elsewhere:
        moved = Told(b"", status=307, headers={"Location": elsewhere.url})
        with server(lambda _asked: moved) as responder, pytest.raises(SystemUnavailable, match="307"):
            home.ask(responder.url)
        assert elsewhere.asked == []


def test_no_proxy_of_the_environment_is_used(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with server(lambda _asked: Told(b"")) as proxy, server(home.responder(Saying())) as responder:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        home.ask(responder.url)
        assert proxy.asked == []
    assert home.status() is Status.GOOD


def test_a_certificate_that_the_responder_does_not_know_is_refused(home: Home) -> None:
    with server(home.responder(Saying(ocsp.OCSPCertStatus.UNKNOWN))) as responder:
        home.ask(responder.url)
    home.configure(when_stale="accept")
    with pytest.raises(RevocationUnknown, match="does not know"):
        home.check()


def test_only_what_is_due_is_asked(home: Home) -> None:
    home.register("disabled", issued("disabled", AUTHORITY, NOW))
    with home.engine.begin() as connection:
        disable_partner(connection, "disabled", NOW)
    home.register("ended", issued("ended", AUTHORITY, NOW, days=-1))
    home.register("elsewhere", issued("elsewhere", OTHER, NOW))
    with server(home.responder(Saying(end=3 * HOUR))) as responder:
        for minutes, asked in ((0, 1), (1, 1), (59, 1), (60, 2), (61, 2)):
            home.now = NOW + timedelta(minutes=minutes)
            home.ask(responder.url)
            assert len(responder.asked) == asked


def test_a_responder_that_fails_is_asked_once_in_a_turn_and_about_each_in_turn(home: Home) -> None:
    for name in ("second", "third"):
        home.register(name, issued(name, AUTHORITY, NOW))
    serials: list[int] = []

    def fail(asked: bytes) -> Told:
        serials.append(ocsp.load_der_ocsp_request(asked).serial_number)
        return Told(b"", status=503)

    with server(fail) as responder:
        for turn in (1, 2, 3):
            home.now += timedelta(minutes=1)
            with pytest.raises(SystemUnavailable):
                home.ask(responder.url)
            assert len(serials) == len(set(serials)) == turn


def test_one_issuer_that_fails_does_not_hold_up_another(home: Home) -> None:
    home.register("elsewhere", issued("elsewhere", OTHER, NOW))
    with (
        server(lambda _asked: Told(b"", status=503)) as broken,
        server(home.responder(Saying())) as responder,
    ):
        home.configure(
            ocsp=(RevocationSource("other.pem", broken.url), RevocationSource("agency.pem", responder.url))
        )
        with pytest.raises(SystemUnavailable):
            home.job().ask(SLOT)
    assert home.status() is Status.GOOD


@pytest.mark.parametrize(
    ("first", "then", "status"),
    [
        (Saying(REVOKED), Saying(), Status.REVOKED),
        (Saying(REVOKED, reason=x509.ReasonFlags.certificate_hold), Saying(), Status.GOOD),
        (Saying(), Saying(REVOKED, begin=-HOUR), Status.GOOD),  # older than the one held: sent again
        (Saying(), Saying(REVOKED), Status.REVOKED),
        (
            Saying(REVOKED, reason=x509.ReasonFlags.certificate_hold),
            Saying(REVOKED, reason=x509.ReasonFlags.key_compromise),
            Status.REVOKED,
        ),
    ],
)
def test_what_may_follow_upon_what_was_said(home: Home, first: Saying, then: Saying, status: Status) -> None:
    home.configure(ask_minutes=0.001)
    with server(home.responder(first)) as responder:
        home.ask(responder.url)
        home.now = NOW + timedelta(seconds=30)
        responder.answer = home.responder(then)
        try:
            home.ask(responder.url)
        except AnswerRefused:
            assert home.status() is not status or then.begin < timedelta(0)
    assert home.status() is status


@pytest.mark.parametrize(("held", "status"), [(False, Status.REVOKED), (True, Status.GOOD)])
def test_a_process_that_is_late_takes_back_nothing(home: Home, held: bool, status: Status) -> None:
    """Another one has stored `revoked` while it still waited for its answer."""
    mark = fingerprint(home.partner.certificate)
    with home.engine.begin() as connection:
        revoked = Answer(Status.REVOKED, held, NOW, NOW + HOUR, None)
        assert put(connection, mark, "agency.pem", revoked, NOW)
        good = Answer(Status.GOOD, False, NOW + HOUR, NOW + 2 * HOUR, None)
        assert put(connection, mark, "agency.pem", good, NOW) is held
    assert home.status() is status


def test_how_up_to_date_it_is_can_be_seen(home: Home) -> None:
    trust = PartnerTrust(home.settings, home.engine)
    assert revocation_state.sources(trust, NOW) == []
    with server(home.responder(Saying(end=2 * HOUR))) as responder:
        home.ask(responder.url)
        trust = PartnerTrust(home.settings, home.engine)
        (answers,) = revocation_state.sources(trust, NOW)
        assert (answers.kind, answers.name, answers.hours_left(NOW)) == ("responder", "agency.pem", 2.0)
        assert answers.is_current(NOW + 2 * HOUR)
        assert not answers.is_current(NOW + 3 * HOUR)
        # One registered just now is about to be asked; when that was in vain, nothing is known.
        home.register("second", issued("second", AUTHORITY, NOW))
        assert [one.ends for one in revocation_state.sources(trust, NOW)] == [answers.ends]
        responder.answer = lambda _asked: Told(b"")
        with pytest.raises(AnswerRefused):
            home.ask(responder.url)
        assert [one.ends for one in revocation_state.sources(trust, NOW)] == [None]
    (home.settings.crl / "agency.pem").write_bytes(pem(revoking(AUTHORITY, NOW)))
    lists, _ = revocation_state.sources(trust, NOW)
    assert (lists.kind, lists.name, lists.hours_left(NOW)) == ("list", "agency.pem", 24.0)
    assert revocation_state.soonest([lists, answers], NOW) == {"list": 24.0, "responder": 2.0}
    (home.settings.crl / "agency.pem").write_bytes(pem(revoking(AUTHORITY, NOW, signer=OTHER.key)))
    lists, _ = revocation_state.sources(trust, NOW)
    assert (lists.kind, lists.name, lists.ends) == ("list", "agency.pem", None)


# Lists by their addresses.


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_list_is_fetched_and_counts_at_once(home: Home, encoding: Encoding) -> None:
    told = Told(revoking(AUTHORITY, NOW, 1, number=1).public_bytes(encoding))
    with server(lambda _asked: told) as issuer:
        home.configure(crl=(RevocationSource("agency.pem", issuer.url),))
        trust = PartnerTrust(home.settings, home.engine)
        with pytest.raises(RevocationUnknown, match="nothing is known"):
            home.check()
        home.fetch(issuer.url)
        home.check()
        assert len(trust.policy().crls) == 1
        home.fetch(issuer.url)
        assert issuer.asked == [("GET", "/ask")]  # the next one is due after an hour
        serial = home.partner.certificate.serial_number
        told.body = revoking(AUTHORITY, NOW, serial, number=2).public_bytes(encoding)
        os.utime(home.fetched, (0, 0))
        home.fetch(issuer.url)
        with pytest.raises(RevokedCertificate):
            home.check()
        assert revocation.number(trust.policy().crls[0]) == 2
    assert sorted(path.name for path in home.settings.fetched_lists.iterdir()) == [".lock", "agency.pem"]


def _der(revocations: x509.CertificateRevocationList) -> bytes:
    return revocations.public_bytes(Encoding.DER)


WRONG_LISTS: dict[str, Told] = {
    "signed by a stranger": Told(_der(revoking(AUTHORITY, NOW, number=9, signer=OTHER.key))),
    "of another issuer": Told(_der(revoking(OTHER, NOW, number=9))),
    "older than the one held": Told(_der(revoking(AUTHORITY, NOW, number=4))),
    "of a time to come": Told(_der(revoking(AUTHORITY, NOW + HOUR, number=9))),
    "a delta": Told(_der(revoking(AUTHORITY, NOW, number=9, more=[(x509.DeltaCRLIndicator(5), True)]))),
    "two": Told(pem(revoking(AUTHORITY, NOW, number=9), revoking(AUTHORITY, NOW, number=10))),
    "a page": Told(b"<html>sorry</html>"),
    "cut off": Told(_der(revoking(AUTHORITY, NOW, number=9))[:-3]),
    "an error": Told(_der(revoking(AUTHORITY, NOW, number=9)), status=404),
    "elsewhere": Told(b"", status=302, headers={"Location": "http://127.0.0.1:1/"}),
    "huge": Told(bytes(33 * 1024 * 1024)),
}


@pytest.mark.parametrize("wrong", WRONG_LISTS)
def test_a_wrong_list_does_not_replace_the_one_held(home: Home, wrong: str) -> None:
    told = Told(_der(revoking(AUTHORITY, NOW, 1, number=5)))
    with server(lambda _asked: told) as issuer:
        home.fetch(issuer.url)
        held = home.fetched.read_bytes()
        told = WRONG_LISTS[wrong]
        os.utime(home.fetched, (0, 0))
        with pytest.raises(GatewayError):
            home.fetch(issuer.url)
        assert len(issuer.asked) == 2
    assert home.fetched.read_bytes() == held
    home.check()


def test_an_issuer_of_lists_that_is_silent_is_given_up(home: Home) -> None:
    with server(lambda _asked: None) as issuer, pytest.raises(SystemTimeout):
        home.fetch(issuer.url)


def test_of_the_processes_of_a_host_one_fetches(home: Home) -> None:
    home.settings.fetched_lists.mkdir(parents=True)
    with (
        server(lambda _asked: Told(b"")) as issuer,
        (home.settings.fetched_lists / ".lock").open("ab") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        home.fetch(issuer.url)
        assert issuer.asked == []


def test_a_list_that_is_no_longer_to_be_fetched_does_not_count(home: Home) -> None:
    serial = home.partner.certificate.serial_number
    with server(lambda _asked: Told(pem(revoking(AUTHORITY, NOW, serial)))) as issuer:
        home.fetch(issuer.url)
    with pytest.raises(RevokedCertificate):
        home.check()
    home.configure(crl=())
    home.check()


def test_an_issuer_that_is_asked_has_a_file_of_its_own(home: Home) -> None:
    both = AUTHORITY.certificate.public_bytes(Encoding.PEM) + OTHER.certificate.public_bytes(Encoding.PEM)
    (home.settings.trust / "agency.pem").write_bytes(both)
    home.configure(ocsp=(RevocationSource("agency.pem", "http://127.0.0.1:1/"),))
    with pytest.raises(ConfigurationError, match="2 certificates"):
        home.check()
    home.configure(ocsp=(RevocationSource("missing.pem", "http://127.0.0.1:1/"),))
    with pytest.raises(ConfigurationError, match=r"missing\.pem"):
        home.check()


def test_nobody_is_asked_while_a_message_is_checked(home: Home) -> None:
    asked: list[bytes] = []

    def answer(content: bytes) -> Told:
        asked.append(content)
        return Told(b"")

    with server(answer) as found:
        home.configure(
            ocsp=(RevocationSource("agency.pem", found.url),),
            crl=(RevocationSource("agency.pem", found.url),),
        )
        with pytest.raises(RevocationUnknown):
            home.check()
        assert isinstance(found, Server)
    assert asked == []


ONE = '[[revocation.ocsp]]\nissuer = "agency.pem"\nurl = "http://ocsp.example/"\n'


def test_issuers_are_set_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(f"[revocation]\nstale_hours = 2\n{ONE}")
    found = config.load({"GATEWAY_CONFIG": str(tmp_path)}).revocation
    assert found.ocsp == (RevocationSource("agency.pem", "http://ocsp.example/"),)
    assert (found.stale_hours, found.when_stale, found.ask_minutes, found.crl) == (2.0, "refuse", 60.0, ())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[revocation]\nwhen_stale = "ignore"\n', "when_stale"),
        ("[revocation]\nstale_hours = -1.0\n", "stale_hours"),
        ("[revocation]\nask_minutes = 0.0\n", "ask_minutes"),
        (ONE.replace("agency.pem", "../agency.pem"), "trust/"),
        (ONE.replace("agency.pem", "agency"), "trust/"),
        (ONE.replace("http:", "ldap:"), "http://"),
        (ONE + 'proxy = "x"\n', "nothing else"),
        (ONE + ONE, "twice"),
        ("[revocation]\nocsp = [1]\n", "nothing else"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "gateway.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=why):
        config.load({"GATEWAY_CONFIG": str(tmp_path)})

"""Signing in by the state login: a provider on a real socket with real signatures, told the truth and every lie."""

from __future__ import annotations

import dataclasses
import re
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests
from sqlalchemy import func, select
from werkzeug.test import Client, TestResponse

from config import ConsoleSettings, StateLogin
from endpoints import console
from endpoints.console import barring, flows, sessions
from endpoints.console.flows import Flow
from endpoints.console.oidc import StateLoginClient
from endpoints.console.roles import Role
from errors import AnswerRefused, ConfigurationError, GatewayError, NotAuthenticated, SystemUnavailable
from exchange import utc_now
from gateway import Gateway
from security.keys import new_keys
from simulators.identity import PERSONS, ROLES, IdentityProvider, Lie
from tests.endpoints.conftest import Site
from tests.endpoints.console.desks import records

BACK = "http://localhost/console/sign-in/answer"
SERIALS = {person.key: person.serial_number for person in PERSONS}


@pytest.fixture(scope="module")
def running() -> Iterator[IdentityProvider]:
    provider = IdentityProvider().start()
    yield provider
    provider.stop()


@pytest.fixture
def provider(running: IdentityProvider) -> IdentityProvider:
    running.lie = Lie.OK
    running.asked.clear()
    return running


@pytest.fixture
def settings(provider: IdentityProvider, tmp_path: Path) -> StateLogin:
    secret = tmp_path / "oidc.secret"
    secret.write_text(provider.client_secret, encoding="utf-8")
    return StateLogin(
        issuer=provider.issuer,
        client_id=provider.client_id,
        secret_file=secret,
        address="",
        name_claim="serial_number",
        role_claim="roles",
        roles=ROLES,
    )


@pytest.fixture
def gateway(site: Site, settings: StateLogin) -> Gateway:
    alone = ConsoleSettings(local=False, state_login=settings)
    return dataclasses.replace(
        site.gateway, settings=dataclasses.replace(site.gateway.settings, console=alone)
    )


def browser(gateway: Gateway) -> Client:
    client = Client(console.application(gateway))
    client.set_cookie("language", "en", path="/console")
    return client


def sent(client: Client, to: str = "") -> str:
    """Where the browser is sent to sign in."""
    answer = client.get("/console/sign-in/state", query_string={"to": to} if to else None)
    assert answer.status_code == 303
    return answer.headers["Location"]


def chosen(address: str, who: str) -> str:
    """Choose a person at the provider: the address to which it sends the browser back, without its host."""
    page = requests.get(address, timeout=5)
    assert page.status_code == 200, page.text
    fields = dict(parse_qsl(urlsplit(address).query)) | {"person": who}
    parts = urlsplit(address)
    answer = requests.post(
        f"{parts.scheme}://{parts.netloc}/choose", data=fields, timeout=5, allow_redirects=False
    )
    assert answer.status_code == 303, answer.text
    back = urlsplit(answer.headers["Location"])
    return f"{back.path}?{back.query}"


def through(client: Client, who: str, to: str = "") -> TestResponse:
    """The whole way, once."""
    return client.get(chosen(sent(client, to), who))


@pytest.mark.parametrize("role", list(Role))
def test_each_role_signs_in_with_its_serial_number_and_it_is_on_record(gateway: Gateway, role: Role) -> None:
    since, client = utc_now(), browser(gateway)
    answer = through(client, role.value, "/console/administration")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/administration")
    cookie = client.get_cookie("console", path="/")
    assert cookie is not None
    with gateway.engine.begin() as connection:
        user = sessions.find(connection, cookie.value, utc_now())
    assert user is not None
    assert (user.name, user.role) == (SERIALS[role.value], role)
    ((leaf, values),) = records(gateway, since)
    assert (leaf["act"], leaf["role"], leaf["way"]) == ("sign in", role.value, "oidc")
    assert values == {"official": SERIALS[role.value]}
    assert "329999" not in str(leaf)


def test_the_request_has_what_keeps_codes_and_answers_apart(
    gateway: Gateway, provider: IdentityProvider
) -> None:
    client = browser(gateway)
    address = sent(client)
    asked = parse_qs(urlsplit(address).query)
    assert address.startswith(f"{provider.issuer}/authorize?")
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [BACK]
    assert "openid" in asked["scope"][0].split()
    cookie = client.get_cookie("console-flow", path="/")
    assert cookie is not None
    flow = Flow(cookie.value)
    assert (asked["state"], asked["nonce"]) == ([flow.state], [flow.nonce])
    assert len({flow.state, flow.nonce, flow.verifier, flow.token}) == 4
    assert flow.verifier not in address
    assert provider.client_secret not in address
    again = parse_qs(urlsplit(sent(client)).query)
    assert again["state"] != asked["state"]


def test_somebody_without_a_role_here_is_not_let_in_and_is_on_record(gateway: Gateway) -> None:
    since, client = utc_now(), browser(gateway)
    answer = through(client, "nobody")
    assert answer.status_code == 403
    assert "You may have no role" in answer.text
    assert client.get_cookie("console", path="/") is None
    assert "329999" not in answer.text
    ((leaf, values),) = records(gateway, since)
    assert (leaf["act"], leaf["reason"], leaf["role"]) == ("sign in refused", "not exactly one role", "")
    assert values == {"official": SERIALS["nobody"]}


def test_somebody_who_is_barred_is_not_let_in_whatever_the_claim_says(gateway: Gateway) -> None:
    since, name = utc_now(), SERIALS["operator"]
    before = browser(gateway)
    assert through(before, "operator").status_code == 303
    with gateway.engine.begin() as connection:
        barring.bar(connection, name, utc_now())
    assert before.get("/console/").status_code == 303, "no session counts any more"
    client = browser(gateway)
    answer = through(client, "operator")
    assert answer.status_code == 403
    assert client.get_cookie("console", path="/") is None
    leaf, values = records(gateway, since)[0]
    assert (leaf["act"], leaf["reason"], values) == ("sign in refused", "barred", {"official": name})
    assert through(browser(gateway), "auditor").status_code == 303
    with gateway.engine.begin() as connection:
        barring.allow(connection, name)
    assert through(browser(gateway), "operator").status_code == 303


REASONS = {
    Lie.WRONG_NONCE: "nonce",
    Lie.WRONG_AUDIENCE: "aud",
    Lie.OTHER_PARTY: "azp",
    Lie.ALG_NONE: "algorithm",
    Lie.HS256_PUBLIC_KEY: "algorithm",
    Lie.OTHER_KEY: "BadSignature",
    Lie.EXPIRED: "Expired",
    Lie.NO_EXPIRY: "MissingClaim",
    Lie.STALE: "too old",
    Lie.UNKNOWN_KID: "no such key",
    Lie.OTHER_ISSUER: "iss",
    Lie.MIX_UP: "another issuer",
    Lie.NO_ISSUER: "another issuer",
    Lie.WRONG_STATE: "state",
    Lie.TWO_ROLES: "not exactly one role",
    Lie.NO_PERSON: "no PNOLV",
    Lie.REFUSED: "signed nobody in",
}


@pytest.mark.parametrize("lie", REASONS)
def test_no_lie_is_believed(gateway: Gateway, provider: IdentityProvider, lie: Lie) -> None:
    since, client = utc_now(), browser(gateway)
    provider.lie = lie
    answer = through(client, "auditor")
    assert answer.status_code == 403
    assert client.get_cookie("console", path="/") is None
    assert client.get_cookie("console-flow", path="/") is None
    ((leaf, _),) = records(gateway, since)
    assert (leaf["act"], leaf["way"]) == ("sign in refused", "oidc")
    assert REASONS[lie] in leaf["reason"]
    assert "329999" not in str(leaf)
    assert client.get("/console/administration").status_code == 303
    if lie in (Lie.MIX_UP, Lie.NO_ISSUER, Lie.WRONG_STATE, Lie.REFUSED):
        assert "/token" not in provider.asked, "the code and the secret went nowhere"


@pytest.mark.parametrize("lie", [Lie.REDIRECT, Lie.LARGE])
def test_what_answers_otherwise_is_told_as_trouble(
    gateway: Gateway, provider: IdentityProvider, lie: Lie
) -> None:
    client = browser(gateway)
    provider.lie = lie
    answer = through(client, "auditor")
    assert answer.status_code in (502, 503)
    assert "does not answer" in answer.text
    assert client.get_cookie("console", path="/") is None
    assert provider.asked.count("/jwks") == 1, "the redirect was not followed"


def test_every_lie_is_tried() -> None:
    assert set(Lie) - set(REASONS) - {Lie.OK, Lie.ROTATED, Lie.REDIRECT, Lie.LARGE} == set()


def test_an_answer_counts_once(gateway: Gateway) -> None:
    since, client = utc_now(), browser(gateway)
    back = chosen(sent(client), "dpo")
    flow = client.get_cookie("console-flow", path="/")
    assert flow is not None
    assert client.get(back).status_code == 303
    client.set_cookie("console-flow", flow.value, path="/")
    again = client.get(back)
    assert again.status_code == 403
    assert "used already" in again.text
    assert records(gateway, since, "sign in refused")[0][0]["reason"] == "no sign-in under way"


def test_an_answer_belongs_to_the_browser_that_asked(gateway: Gateway) -> None:
    """Somebody else's answer would sign the victim in as the attacker."""
    attacker, victim = browser(gateway), browser(gateway)
    back = chosen(sent(attacker), "auditor")
    assert victim.get(back).status_code == 403
    sent(victim)
    assert victim.get(back).status_code == 403
    assert victim.get_cookie("console", path="/") is None
    assert browser(gateway).get("/console/sign-in/answer?code=x&state=y").status_code == 403


@pytest.mark.parametrize("more", ["&state=x", "&code=x", "&iss=x", "&error=access_denied"])
def test_parameters_that_contradict_each_other(gateway: Gateway, more: str) -> None:
    client = browser(gateway)
    assert client.get(chosen(sent(client), "auditor") + more).status_code == 403


def test_a_sign_in_that_took_too_long_is_over(gateway: Gateway) -> None:
    now = utc_now()
    with gateway.engine.begin() as connection:
        flow = flows.begin(connection, "/console/x", now - flows.LONGEST)
        assert flows.take(connection, flow.token, now) is None
        kept = flows.begin(connection, "/console/x", now)
        left = connection.execute(
            select(func.count()).select_from(flows.flows).where(flows.flows.c.began_at < now - flows.LONGEST)
        ).scalar_one()
        assert left == 0
        assert flows.take(connection, kept.token, now) == "/console/x"
        assert flows.take(connection, kept.token, now) is None


def test_a_session_is_new_and_the_one_before_ends(gateway: Gateway) -> None:
    client = browser(gateway)
    with gateway.engine.begin() as connection:
        before = sessions.begin(connection, "attacker", Role.OPERATOR, utc_now())
    client.set_cookie("console", before, path="/")
    assert through(client, "auditor").status_code == 303
    cookie = client.get_cookie("console", path="/")
    assert cookie is not None
    assert cookie.value != before
    with gateway.engine.begin() as connection:
        assert sessions.find(connection, before, utc_now()) is None


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/console/\r\nX: y", "/api/v1"])
def test_afterwards_one_is_led_nowhere_else(gateway: Gateway, to: str) -> None:
    assert through(browser(gateway), "auditor", to).headers["Location"] == "/console/"


def test_a_host_that_is_not_ours_is_not_told_to_the_issuer(gateway: Gateway, settings: StateLogin) -> None:
    answer = browser(gateway).get("/console/sign-in/state", base_url="http://evil.example")
    assert answer.status_code == 500
    assert "Location" not in answer.headers
    known = dataclasses.replace(settings, address="https://gateway.example")
    both = dataclasses.replace(gateway.settings, console=ConsoleSettings(local=False, state_login=known))
    client = browser(dataclasses.replace(gateway, settings=both))
    answer = client.get("/console/sign-in/state", base_url="http://evil.example")
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert asked["redirect_uri"] == ["https://gateway.example/console/sign-in/answer"]


def test_cookies_on_the_way(gateway: Gateway) -> None:
    client = browser(gateway)
    for answer in (
        client.get("/console/sign-in/state", base_url="https://localhost"),
        client.get("/console/sign-in/answer?state=x", base_url="https://localhost"),
    ):
        (cookie,) = [one for one in answer.headers.getlist("Set-Cookie") if "console-flow" in one]
        assert cookie.startswith("__Host-console-flow=")
        assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))


def test_an_issuer_that_is_not_there_is_told_and_local_accounts_stay(
    gateway: Gateway, settings: StateLogin
) -> None:
    away = dataclasses.replace(settings, issuer="http://127.0.0.1:9")
    both = dataclasses.replace(gateway.settings, console=ConsoleSettings(local=True, state_login=away))
    client = browser(dataclasses.replace(gateway, settings=both))
    answer = client.get("/console/sign-in/state")
    assert answer.status_code in (502, 503, 504)
    assert "does not answer" in answer.text
    assert 'type="password"' in answer.text


def test_a_new_key_is_fetched_once_and_not_at_every_unknown_name(
    provider: IdentityProvider, settings: StateLogin
) -> None:
    ticks = [0.0]
    client = StateLoginClient(settings, ticks=lambda: ticks[0])

    def person(lie: Lie) -> str:
        provider.lie = lie
        flow = Flow("token-of-a-test")
        back = urlsplit(chosen(client.address(flow, BACK), "auditor"))
        code = client.code(flow, parse_qs(back.query))
        return client.person(flow, code, BACK).name

    assert person(Lie.OK) == SERIALS["auditor"]
    with pytest.raises(NotAuthenticated):
        person(Lie.ROTATED)
    assert provider.asked.count("/jwks") == 1, "just read: not again at once"
    ticks[0] = 20.0
    assert person(Lie.OK) == SERIALS["auditor"], "its newest key is the one of before"
    assert provider.asked.count("/jwks") == 2
    ticks[0] = 40.0
    for _ in range(3):
        with pytest.raises(NotAuthenticated):
            person(Lie.UNKNOWN_KID)
    assert provider.asked.count("/jwks") == 3
    ticks[0] = 30.0 + 700.0
    assert person(Lie.OK) == SERIALS["auditor"]
    assert provider.asked.count("/jwks") == 4, "kept for some minutes only"


def test_time_is_judged_by_our_clock(settings: StateLogin) -> None:
    for seconds, good in ((0, True), (30, True), (340, True), (400, False), (-50, True), (-90, False)):
        client = StateLoginClient(settings, clock=lambda by=seconds: time.time() + by)  # type: ignore[misc]
        flow = Flow(f"token-{seconds}")
        back = urlsplit(chosen(client.address(flow, BACK), "dpo"))
        code = client.code(flow, parse_qs(back.query))
        if good:
            assert client.person(flow, code, BACK).role is Role.DPO
        else:
            with pytest.raises(NotAuthenticated):
                client.person(flow, code, BACK)


def test_a_code_needs_its_verifier_and_the_secret(settings: StateLogin, tmp_path: Path) -> None:
    client = StateLoginClient(settings)
    flow = Flow("of-the-victim")
    code = client.code(flow, parse_qs(urlsplit(chosen(client.address(flow, BACK), "auditor")).query))
    with pytest.raises(NotAuthenticated, match="take the code"):
        client.person(Flow("of-the-thief"), code, BACK)
    wrong = tmp_path / "wrong.secret"
    wrong.write_text("guessed", encoding="utf-8")
    thief = StateLoginClient(dataclasses.replace(settings, secret_file=wrong))
    code = client.code(flow, parse_qs(urlsplit(chosen(client.address(flow, BACK), "auditor")).query))
    with pytest.raises(NotAuthenticated, match="take the code"):
        thief.person(flow, code, BACK)


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_without_its_secret_nothing_starts(settings: StateLogin, tmp_path: Path, value: str | None) -> None:
    path = tmp_path / "other.secret"
    if value is not None:
        path.write_text(value, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=re.escape(str(path))):
        StateLoginClient(dataclasses.replace(settings, secret_file=path))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"issuer": "https://other.example"}, AnswerRefused),
        ({"token_endpoint": "http://evil.example/token"}, AnswerRefused),
        ({"jwks_uri": "file:///etc/passwd"}, AnswerRefused),
        ({"authorization_endpoint": None}, AnswerRefused),
        ({"code_challenge_methods_supported": ["plain"]}, AnswerRefused),
        ({"padding": "x" * 300_000}, AnswerRefused),
    ],
)
def test_what_the_issuer_publishes_is_checked(
    settings: StateLogin, change: dict[str, object], error: type[GatewayError]
) -> None:
    class Changed(IdentityProvider):
        def configuration(self) -> dict[str, object]:  # type: ignore[override]
            return super().configuration() | change

    provider = Changed().start()
    try:
        with pytest.raises(error):
            StateLoginClient(dataclasses.replace(settings, issuer=provider.issuer)).address(Flow("x"), BACK)
    finally:
        provider.stop()


def test_an_address_that_redirects_or_is_not_there(provider: IdentityProvider, settings: StateLogin) -> None:
    moved = dataclasses.replace(settings, issuer=f"{provider.issuer}/elsewhere")
    with pytest.raises(SystemUnavailable):
        StateLoginClient(moved).address(Flow("x"), BACK)


def test_a_certificate_that_nobody_vouches_for(settings: StateLogin, tmp_path: Path) -> None:
    new_keys(tmp_path / "keys", [])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "keys" / "tls.pem", tmp_path / "keys" / "tls.key")

    class Private(IdentityProvider):
        def __init__(self) -> None:
            super().__init__()
            self.issuer = self.issuer.replace("http://", "https://")
            self.socket = context.wrap_socket(self.socket, server_side=True)

    provider = Private().start()
    try:
        known = dataclasses.replace(settings, issuer=provider.issuer)
        with pytest.raises(SystemUnavailable):
            StateLoginClient(known).address(Flow("x"), BACK)
        trusting = dataclasses.replace(known, tls_trust=tmp_path / "keys" / "authority.pem")
        assert StateLoginClient(trusting).address(Flow("x"), BACK).startswith(provider.issuer)
    finally:
        provider.stop()


def test_no_token_is_kept(gateway: Gateway) -> None:
    client = browser(gateway)
    answer = through(client, "operator")
    said = str(answer.headers)
    assert "eyJ" not in said
    with gateway.engine.begin() as connection:
        rows = [*connection.execute(select(sessions.sessions)), *connection.execute(select(flows.flows))]
    assert "eyJ" not in str(rows)
    assert "access_token" not in str(rows)

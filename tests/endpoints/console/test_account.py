"""One's own account: what must be done first, a password that is changed, one's sessions; and whoever stole one."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from sqlalchemy import select
from werkzeug.test import Client, TestResponse

from endpoints import console
from endpoints.console import accounts, barring, pages, sessions
from endpoints.console.accounts import GIVEN_FOR, MOST_FAILURES, Refusal
from endpoints.console.accounts import accounts as table
from endpoints.console.pages import account as page
from endpoints.console.passwords import Passwords, Weakness
from endpoints.console.roles import Role
from exchange import utc_now
from gateway import Gateway
from security.masters import MasterKeys
from tests.endpoints.conftest import Site
from tests.endpoints.console.desks import Account, Counted, account, begun, records, token_of
from tests.endpoints.console.signing_in import csrf_of, signed_in

# What is tried here is the same on any database; the locks are tried in `test_sign_in.py`.
pytestmark = pytest.mark.parametrize("session_database", ["sqlite"], indirect=True)

NEW = "plain words that she keeps"
OTHER = "still other words of hers"
WRONG = {"password": "guess", "code": "000000"}
REFUSED = "The present password or the code is not right"


@dataclass(frozen=True)
class Browser:
    """Somebody at the whole console, in English, with a hasher that counts."""

    client: Client
    hasher: Counted

    def sign_in(self, known: Account, **other: str) -> TestResponse:
        form = {"token": token_of(self.client.get("/console/sign-in").text)}
        return self.client.post("/console/sign-in", data=form | known.typed(**other))

    def page(self) -> str:
        return self.client.get("/console/account").text

    def change(self, **fields: str) -> TestResponse:
        """Send the form of the page, with its csrf."""
        form = {"csrf": csrf_of(self.page()), "do": "password", "new": NEW, "again": NEW}
        return self.client.post("/console/account", data=form | fields)

    def cookie(self) -> str:
        found = self.client.get_cookie("console", path="/")
        return found.value if found else ""

    def is_in(self) -> bool:
        return self.client.get("/console/account").status_code == 200


def browser(gateway: Gateway) -> Browser:
    hasher = Counted()
    client = Client(console.application(gateway, Passwords(hasher)))
    client.set_cookie("language", "en", path="/console")
    return Browser(client, hasher)


def inside(gateway: Gateway, known: Account) -> Browser:
    """Signed in, by the code of before, so that the present one is left."""
    made = browser(gateway)
    assert made.sign_in(known, code=known.code(ago=30)).status_code == 303
    return made


@pytest.fixture
def gateway(site: Site) -> Gateway:
    return site.gateway


def secret_of(text: str) -> str:
    found = re.search(r'<code class="secret">([A-Z2-7]{32})</code>', text)
    assert found, text
    return found[1]


def test_with_a_given_password_nothing_is_seen_before_it_is_changed(gateway: Gateway) -> None:
    since, made, here = utc_now(), begun(gateway), browser(gateway)
    assert here.sign_in(made).headers["Location"] == "/console/"
    for one in pages.discover():
        if one.confined:
            continue
        path = re.sub("<[^>]+>", "01a205a3-6758-78d4-86d6-bd5e4180ecc7", one.path)
        answer = here.client.open(f"/console/{path}", method=one.methods[0])
        assert (answer.status_code, answer.headers["Location"]) == (303, "/console/account"), one.path
    part = here.client.get("/console/", headers={"HX-Request": "true"})
    assert (part.text, part.headers["HX-Redirect"]) == ("", "/console/account")
    text = here.page()
    assert set(re.findall(r'<li><a href="([^"]+)"', text)) == {"/console/account"}
    known = Account(made.name, made.password, secret_of(text))
    before = here.cookie()
    answer = here.change(password=known.password, code=known.code())
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/")
    assert here.cookie() != before
    assert here.client.get("/console/administration").status_code == 200
    assert '<code class="secret">' not in here.page()
    ((leaf, values),) = records(gateway, since, "user password")
    assert (leaf["first"], leaf["at"], leaf["role"], values) == (
        True,
        "console",
        "auditor",
        {"official": made.name},
    )


def test_the_secret_counts_from_its_first_code_and_is_another_one_at_each_sign_in(gateway: Gateway) -> None:
    made, first, second = begun(gateway), browser(gateway), browser(gateway)
    first.sign_in(made)
    seen_by_another = Account(made.name, made.password, secret_of(first.page()))
    assert secret_of(first.page()) == seen_by_another.secret, "it stays while one looks"
    second.sign_in(made)
    known = Account(made.name, made.password, secret_of(second.page()))
    assert known.secret != seen_by_another.secret
    assert not first.is_in(), "nobody else reads it"
    assert second.change(password=made.password, code=seen_by_another.code()).status_code == 403
    assert second.change(password=made.password, code="").status_code == 403
    assert second.change(password=made.password, code=known.code()).status_code == 303
    own = Account(made.name, NEW, known.secret)
    assert browser(gateway).sign_in(own, code="").status_code == 403
    assert browser(gateway).sign_in(own).status_code == 403, "the code that confirmed it is used up"
    assert browser(gateway).sign_in(own, code=known.code(ago=-30)).status_code == 303


def test_a_secret_that_was_replaced_meanwhile_is_not_confirmed(gateway: Gateway) -> None:
    made, passwords = begun(gateway), Passwords(Counted())
    keys = MasterKeys(gateway.settings.keys)

    def seen(code: str) -> accounts.Seen:
        typed = accounts.Typed(made.name, made.password, code)
        return accounts.see(gateway.engine, keys, passwords, typed, utc_now())

    def shown() -> str:
        with gateway.engine.begin() as connection:
            accounts.judge(connection, keys, seen(""), utc_now())
        with gateway.engine.begin() as connection:
            found = accounts.secret(connection, keys, made.name, "x")
        assert found is not None
        return found.text

    right = seen(Account(made.name, made.password, shown()).code())
    assert right.step is not None
    shown()
    with gateway.engine.begin() as connection:
        assert accounts.change_password(connection, right, "x", utc_now()).refusal is Refusal.CODE


def test_the_secret_of_an_account_in_use_is_shown_to_nobody(gateway: Gateway) -> None:
    known = account(gateway)
    text = inside(gateway, known).page()
    assert known.secret not in text
    keys = MasterKeys(gateway.settings.keys)
    with gateway.engine.begin() as connection:
        assert accounts.secret(connection, keys, known.name, "x") is None


def test_the_picture_is_the_address_that_an_authenticator_reads(gateway: Gateway) -> None:
    made, here = begun(gateway), browser(gateway)
    here.sign_in(made)
    answer = here.client.get("/console/account")
    drawn = page.code(
        f"otpauth://totp/SPOLIS%20test:{made.name}?secret={secret_of(answer.text)}&issuer=SPOLIS%20test"
    )
    assert f'd="{drawn.path}"' in answer.text
    assert f'viewBox="0 0 {drawn.size} {drawn.size}"' in answer.text
    assert "style=" not in answer.text
    assert "style-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_changed_password_counts_at_once_and_other_sessions_end(gateway: Gateway) -> None:
    since, known = utc_now(), account(gateway)
    other = browser(gateway)
    assert other.sign_in(known, code=known.code(ago=30)).status_code == 303
    here = browser(gateway)
    assert here.sign_in(known).status_code == 303
    before = here.cookie()
    answer = here.change(password=known.password, code=known.code(ago=-30))
    assert answer.headers["Location"] == "/console/account?done=password"
    assert "Your password is changed" in here.client.get(answer.headers["Location"]).text
    assert here.cookie() not in ("", before)
    assert not other.is_in()
    with gateway.engine.begin() as connection:
        assert sessions.find(connection, before, utc_now()) is None
        row = connection.execute(select(table).where(table.c.name == known.name)).one()
    assert row.hash.startswith("$argon2id$")
    passwords = Passwords(Counted())
    assert passwords.right(row.hash, NEW)
    assert not passwords.right(row.hash, known.password)
    ((leaf, values),) = records(gateway, since, "user password")
    assert (leaf["first"], values) == (False, {"official": known.name})
    assert not any(word in f"{leaf}{values}" for word in (NEW, known.password))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"new": "short words", "again": "short words"}, Weakness.SHORT),
        ({"new": "x" * 129, "again": "x" * 129}, Weakness.LONG),
        ({"new": "Password 2026!!", "again": "Password 2026!!"}, Weakness.COMMON),
        ({"again": OTHER}, "not twice the same"),
        ({"password": NEW}, "is the present one"),
    ],
)
def test_what_is_wrong_with_a_password_is_told_and_costs_nothing(
    gateway: Gateway, fields: dict[str, str], told: str
) -> None:
    since, known = utc_now(), account(gateway)
    here = inside(gateway, known)
    here.hasher.asked.clear()
    answer = here.change(**({"password": known.password, "code": known.code()} | fields))
    assert answer.status_code == 400
    assert told in answer.text
    assert here.hasher.asked == []
    assert records(gateway, since, "user password refused") == []
    assert here.change(password=known.password, code=known.code()).status_code == 303, "no code was used up"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"password": "guessed"}, Refusal.PASSWORD),
        ({"password": ""}, Refusal.PASSWORD),
        ({"code": ""}, Refusal.CODE),
        ({"code": "000000"}, Refusal.CODE),
    ],
)
def test_nobody_changes_it_without_the_present_password_and_a_code(
    gateway: Gateway, fields: dict[str, str], reason: Refusal
) -> None:
    since, known = utc_now(), account(gateway)
    here = inside(gateway, known)
    here.hasher.asked.clear()
    answer = here.change(**({"password": known.password, "code": known.code()} | fields))
    assert answer.status_code == 403
    assert REFUSED in answer.text
    assert here.hasher.asked == ["verify"], "and the new one is not hashed"
    ((leaf, values),) = records(gateway, since, "user password refused")
    assert (leaf["reason"], values) == (reason, {"official": known.name})


def test_a_code_that_signed_in_changes_no_password(gateway: Gateway) -> None:
    since, known, here = utc_now(), account(gateway), browser(gateway)
    code = known.code()
    assert here.sign_in(known, code=code).status_code == 303
    assert here.change(password=known.password, code=code).status_code == 403
    assert records(gateway, since, "user password refused")[0][0]["reason"] == Refusal.REPEATED
    fresh = known.code(ago=-30)
    assert here.change(password=known.password, code=fresh).status_code == 303
    own = Account(known.name, NEW, known.secret)
    assert browser(gateway).sign_in(own, code=fresh).status_code == 403


def test_whoever_guesses_in_a_session_that_he_stole_loses_it(gateway: Gateway) -> None:
    since, known = utc_now(), account(gateway)
    here = inside(gateway, known)
    for number in range(MOST_FAILURES):
        assert here.is_in()
        answer = here.change(password=f"guess {number}", code=known.code())
        assert answer.status_code == 403
    assert not here.is_in()
    assert len(records(gateway, since, "sign in locked")) == 1
    assert browser(gateway).sign_in(known).status_code == 403, "the account is locked there too"


def test_failures_at_the_sign_in_and_here_are_counted_together(gateway: Gateway) -> None:
    known = account(gateway)
    here = inside(gateway, known)
    for number in range(MOST_FAILURES - 1):
        browser(gateway).sign_in(known, password=f"guess {number}")
    here.change(**WRONG)
    assert not here.is_in()


def test_a_lock_from_outside_ends_no_session_and_holds_here(gateway: Gateway) -> None:
    since, known = utc_now(), account(gateway)
    here = inside(gateway, known)
    for number in range(MOST_FAILURES):
        browser(gateway).sign_in(known, password=f"guess {number}")
    assert here.change(password=known.password, code=known.code()).status_code == 403
    assert records(gateway, since, "user password refused")[0][0]["reason"] == Refusal.LOCKED
    assert here.is_in(), "or anybody could sign out whomever he knows by name"


def test_a_form_that_is_not_of_this_session_changes_nothing(gateway: Gateway) -> None:
    known, stranger = account(gateway), account(gateway)
    here, there = inside(gateway, known), inside(gateway, stranger)
    foreign = csrf_of(there.page())
    here.hasher.asked.clear()
    for csrf in ("", "x", foreign):
        for do in ("password", "sessions"):
            answer = here.change(csrf=csrf, do=do, password=known.password, code=known.code())
            assert answer.status_code == 403
            assert "not of this session" in answer.text
    assert here.hasher.asked == []
    earlier = csrf_of(here.page())
    assert here.change(password=known.password, code=known.code()).status_code == 303
    assert here.change(csrf=earlier, do="sessions").status_code == 403, "the session before had another one"


def test_after_signing_out_the_session_is_of_no_use(gateway: Gateway) -> None:
    known = account(gateway)
    here, thief = inside(gateway, known), browser(gateway)
    thief.client.set_cookie("console", here.cookie(), path="/")
    csrf = csrf_of(here.page())
    assert here.client.post("/console/sign-out", data={"csrf": csrf}).status_code == 303
    form = {"csrf": csrf, "do": "password", "new": NEW, "again": NEW, "password": known.password}
    thief.hasher.asked.clear()
    assert thief.client.post("/console/account", data=form | {"code": known.code()}).status_code == 303
    assert thief.hasher.asked == []
    assert not thief.is_in()


def test_own_sessions_are_told_and_the_others_ended(gateway: Gateway) -> None:
    since, known, stranger = utc_now(), account(gateway), account(gateway)
    here, there, away = inside(gateway, known), browser(gateway), inside(gateway, stranger)
    assert there.sign_in(known).status_code == 303
    there.client.get("/console/account", environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    text = here.page()
    assert text.count("<tr><th") == 3
    assert "192.0.2.7" in text
    answer = here.client.post("/console/account", data={"csrf": csrf_of(text), "do": "sessions"})
    assert "have ended" in here.client.get(answer.headers["Location"]).text
    assert here.page().count("<tr><th") == 2
    assert (here.is_in(), there.is_in(), away.is_in()) == (True, False, True)
    ((leaf, values),) = records(gateway, since, "user sign-out others")
    assert (leaf["sessions"], values) == (1, {"official": known.name})


def test_a_given_password_is_over_after_its_days(gateway: Gateway) -> None:
    since, made, here = utc_now(), begun(gateway), browser(gateway)
    with gateway.engine.begin() as connection:
        of_it = table.c.name == made.name
        connection.execute(table.update().where(of_it).values(password_given_at=utc_now() - GIVEN_FOR))
    assert here.sign_in(made).status_code == 403
    assert records(gateway, since, "sign in refused")[0][0]["reason"] == Refusal.OVER


def test_a_person_of_the_state_login_has_sessions_and_no_password_here(gateway: Gateway) -> None:
    name = "PNOLV-329999-10055"
    with gateway.engine.begin() as connection:
        token = sessions.begin(connection, name, Role.DPO, utc_now())
    here = browser(gateway)
    here.client.set_cookie("console", token, path="/")
    text = here.page()
    assert "this one" in text
    assert 'type="password"' not in text
    assert here.change(**WRONG).status_code == 404
    assert here.hasher.asked == ["hash"], "but for the one of nobody"
    with gateway.engine.begin() as connection:
        barring.bar(connection, name, utc_now())
    assert not here.is_in()
    with gateway.engine.begin() as connection:
        barring.allow(connection, name)


@pytest.mark.parametrize("role", list(Role))
def test_everybody_has_the_page_without_anything_of_the_log(gateway: Gateway, role: Role) -> None:
    since = utc_now()
    assert signed_in(gateway, role).get("/console/account").status_code == 200
    assert records(gateway, since) == []

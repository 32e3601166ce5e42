"""Signing in with a local account, attacked: what is refused, what is told, and what is on record of it."""

from __future__ import annotations

import dataclasses
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from werkzeug.test import Client

from audit import open_log
from endpoints import console
from endpoints.console import accounts, pages, sessions, sign_in
from endpoints.console.accounts import MOST_FAILURES, Refusal, Typed
from endpoints.console.accounts import accounts as table
from endpoints.console.passwords import Passwords
from endpoints.console.roles import Role
from errors import Busy
from exchange import utc_now
from gateway import Gateway
from security.masters import MasterKeys
from storage import open_engine
from tests.endpoints.conftest import Site
from tests.endpoints.console.desks import Counted, account, desk, records, token_of
from tests.endpoints.console.signing_in import csrf_of, signed_in

REFUSED = "Name, password or code is not right"
WRONG = {"password": "another"}


@pytest.fixture
def gateway(site: Site) -> Gateway:
    return site.gateway


@pytest.mark.parametrize("role", list(Role))
def test_name_password_and_code_let_in_and_it_is_on_record(gateway: Gateway, role: Role) -> None:
    since, known = utc_now(), account(gateway, role)
    browser = desk(gateway)
    answer = browser.send(known.typed())
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/")
    with gateway.engine.begin() as connection:
        user = sessions.find(connection, browser.cookie("console"), utc_now())
    assert user is not None
    assert (user.name, user.role) == (known.name, role)
    ((leaf, values),) = records(gateway, since, "sign in")
    assert (leaf["role"], leaf["way"], leaf["at"]) == (role.value, "local", "console")
    assert values == {"official": known.name}
    assert known.name not in str(leaf)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"password": "another"}, Refusal.PASSWORD),
        ({"password": ""}, Refusal.PASSWORD),
        ({"code": "000000"}, Refusal.CODE),
        ({"code": ""}, Refusal.CODE),
        ({"code": "ā" * 6}, Refusal.CODE),
    ],
)
def test_whoever_is_refused_hears_the_same_and_the_reason_is_on_record(
    gateway: Gateway, wrong: dict[str, str], reason: Refusal
) -> None:
    since, known, browser = utc_now(), account(gateway), desk(gateway)
    nobody = browser.send({"name": "nobody-at-all", "password": "x", "code": "123456"})
    answer = browser.send(known.typed(**wrong))
    assert answer.status_code == nobody.status_code == 403
    assert answer.text == nobody.text
    assert REFUSED in answer.text
    assert not browser.cookie("console")
    (leaf, values), *_ = records(gateway, since, "sign in refused")
    assert (leaf["reason"], values) == (reason, {"official": known.name})


def test_what_is_typed_as_an_unknown_name_can_be_erased_and_passwords_are_nowhere(gateway: Gateway) -> None:
    since, browser = utc_now(), desk(gateway)
    typed = {"name": "my-secret-<script>", "password": "Passw0rd!typed", "code": "424242"}
    answer = browser.send(typed)
    assert "my-secret" not in answer.text
    ((leaf, values),) = records(gateway, since)
    assert (leaf["act"], leaf["reason"], leaf["role"]) == ("sign in refused", "unknown name", "")
    assert values == {"typed": "my-secret-<script>"}
    assert not any(word in f"{leaf}{values}" for word in ("Passw0rd", "424242"))
    assert "my-secret" not in str(leaf)


def test_an_unknown_name_is_as_much_work_as_a_known_one(gateway: Gateway) -> None:
    known, browser = account(gateway), desk(gateway)
    locked, ended = account(gateway), account(gateway)
    with gateway.engine.begin() as connection:
        connection.execute(
            update(table)
            .where(table.c.name == locked.name)
            .values(locked_until=utc_now() + timedelta(hours=1))
        )
        accounts.disable(connection, ended.name, utc_now())
    work = []
    for fields in (
        {"name": "no-such-name", "password": "x", "code": "123456"},
        known.typed(**WRONG),
        known.typed(code="123456"),
        locked.typed(),
        ended.typed(),
        {"name": "", "password": "", "code": ""},
    ):
        browser.hasher.asked.clear()
        assert browser.send(fields).status_code == 403
        work.append(list(browser.hasher.asked))
    assert work == [["verify"]] * 6


def test_a_code_counts_once_and_an_earlier_one_no_more(gateway: Gateway) -> None:
    since, known = utc_now(), account(gateway)
    code, before = known.code(), known.code(ago=30)
    assert desk(gateway).send(known.typed(code=code)).status_code == 303
    assert desk(gateway).send(known.typed(code=code)).status_code == 403
    assert desk(gateway).send(known.typed(code=before)).status_code == 403
    reasons = [leaf["reason"] for leaf, _ in records(gateway, since, "sign in refused")]
    assert reasons == [Refusal.REPEATED] * 2
    assert desk(gateway).send(known.typed(code=known.code(ago=-30))).status_code == 303
    assert desk(gateway).send(known.typed(code=known.code(ago=300))).status_code == 403


def test_of_several_who_use_one_code_at_once_one_gets_in(gateway: Gateway) -> None:
    known = account(gateway)
    fields = known.typed()
    browsers = [desk(gateway) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = [one.result() for one in [pool.submit(each.send, fields) for each in browsers]]
    assert sorted(one.status_code for one in answers) == [303, 403, 403, 403, 403, 403]


def elsewhere(gateway: Gateway) -> Gateway:
    """The gateway as another process has it: connections and log of its own."""
    engine = open_engine(gateway.settings.database_url)
    return dataclasses.replace(gateway, engine=engine, log=open_log(gateway.settings, engine))


def test_a_code_that_another_process_is_using_is_waited_for(gateway: Gateway) -> None:
    known, other, now = account(gateway), open_engine(gateway.settings.database_url), utc_now()
    keys, passwords = MasterKeys(gateway.settings.keys), Passwords(Counted())
    typed = Typed(known.name, known.password, known.code())
    seen = accounts.see(gateway.engine, keys, passwords, typed, now)

    def there() -> Refusal | None:
        with other.begin() as connection:
            return accounts.judge(connection, keys, seen, now).refusal

    with ThreadPoolExecutor(1) as pool:
        with gateway.engine.begin() as connection:
            assert accounts.judge(connection, keys, seen, now).refusal is None
            second = pool.submit(there)
            time.sleep(0.3)
            assert not second.done()
        assert second.result() is Refusal.REPEATED
    other.dispose()


def test_a_code_signs_in_or_changes_the_password_and_not_both(gateway: Gateway) -> None:
    known, other, now = account(gateway), open_engine(gateway.settings.database_url), utc_now()
    keys, passwords = MasterKeys(gateway.settings.keys), Passwords(Counted())
    typed = Typed(known.name, known.password, known.code())
    seen, fresh = accounts.see(gateway.engine, keys, passwords, typed, now), passwords.hashed("another")

    def there() -> Refusal | None:
        with other.begin() as connection:
            return accounts.change_password(connection, seen, fresh, now).refusal

    with ThreadPoolExecutor(1) as pool:
        with gateway.engine.begin() as connection:
            assert accounts.judge(connection, keys, seen, now).refusal is None
            second = pool.submit(there)
        assert second.result() is Refusal.REPEATED
    other.dispose()


def test_five_failures_lock_an_account_in_every_process_even_for_the_right_password(gateway: Gateway) -> None:
    since, known = utc_now(), account(gateway)
    other = elsewhere(gateway)
    here, there = desk(gateway), desk(other)
    for number in range(MOST_FAILURES):
        assert (here, there)[number % 2].send(known.typed(password=f"guess {number}")).status_code == 403
    answer = there.send(known.typed())
    assert answer.status_code == 403
    assert REFUSED in answer.text
    ((leaf, values),) = records(gateway, since, "sign in locked")
    assert (leaf["role"], values) == ("auditor", {"official": known.name})
    assert records(gateway, since, "sign in refused")[0][0]["reason"] == Refusal.LOCKED
    other.log.close()
    other.engine.dispose()


def test_guesses_at_once_count_each(gateway: Gateway) -> None:
    known, other = account(gateway), elsewhere(gateway)
    browsers = [desk(each) for each in (gateway, other) * 5]
    with ThreadPoolExecutor(10) as pool:
        done = [pool.submit(each.send, known.typed(password=f"guess {n}")) for n, each in enumerate(browsers)]
        assert {one.result().status_code for one in done} == {403}
    with gateway.engine.begin() as connection:
        row = connection.execute(select(table).where(table.c.name == known.name)).one()
    assert row.locked_until is not None
    assert row.failures == 0, "those after the fifth met the lock and did not count anew"
    other.log.close()
    other.engine.dispose()


def test_the_lock_ends_after_a_quarter_of_an_hour_and_is_not_prolonged(gateway: Gateway) -> None:
    known, now = account(gateway), utc_now()
    keys, passwords = MasterKeys(gateway.settings.keys), Passwords(Counted())

    def attempt(password: str, seconds: float) -> Refusal | None:
        at = now + timedelta(seconds=seconds)
        typed = Typed(known.name, password, known.code(ago=-seconds))
        seen = accounts.see(gateway.engine, keys, passwords, typed, at)
        with gateway.engine.begin() as connection:
            return accounts.judge(connection, keys, seen, at).refusal

    for _ in range(MOST_FAILURES):
        attempt("wrong", 0)
    assert attempt("wrong", 600) is Refusal.LOCKED
    assert attempt(known.password, 890) is Refusal.LOCKED
    assert attempt(known.password, 910) is None


def test_success_forgets_failures(gateway: Gateway) -> None:
    known, browser = account(gateway), desk(gateway)
    for _ in range(MOST_FAILURES - 1):
        browser.send(known.typed(**WRONG))
    assert browser.send(known.typed()).status_code == 303
    browser.send(known.typed(**WRONG))
    with gateway.engine.begin() as connection:
        row = connection.execute(select(table).where(table.c.name == known.name)).one()
    assert (row.failures, row.locked_until) == (1, None)


def test_a_hash_grows_with_its_parameters(gateway: Gateway) -> None:
    known, stronger = account(gateway, hasher=Counted(cost=8)), Counted(cost=16)

    def kept() -> str:
        with gateway.engine.begin() as connection:
            return str(
                connection.execute(select(table.c.hash).where(table.c.name == known.name)).scalar_one()
            )

    before = kept()
    assert desk(gateway, stronger).send(known.typed(code="000000")).status_code == 403
    assert kept() == before
    assert desk(gateway, stronger).send(known.typed()).status_code == 303
    assert "m=16," in kept()
    assert desk(gateway, stronger).send(known.typed(code=known.code(ago=-30))).status_code == 303


def test_nothing_that_signs_in_lies_plain_in_the_database(gateway: Gateway) -> None:
    known = account(gateway)
    with gateway.engine.begin() as connection:
        row = connection.execute(select(table).where(table.c.name == known.name)).one()
        names = accounts.listed(connection)
    assert row.hash.startswith("$argon2id$")
    text = repr(tuple(row))
    assert known.secret not in text
    assert known.password not in text
    assert known.name in [one.name for one in names]
    # Moved to another account it opens no more.
    other = account(gateway)
    with gateway.engine.begin() as connection:
        connection.execute(update(table).where(table.c.name == other.name).values(totp=row.totp))
    fields = other.typed(code=known.code())
    assert desk(gateway).send(fields).status_code == 403


def test_a_form_of_another_site_signs_nobody_in(gateway: Gateway) -> None:
    known = account(gateway)
    browser = desk(gateway)
    browser.hasher.asked.clear()
    right = token_of(browser.page().text)
    for token in ("", "x" * 43, right[:-1]):
        answer = browser.client.post("/console/sign-in", data=known.typed() | {"token": token})
        assert answer.status_code == 403
        assert "no longer good" in answer.text
        assert not browser.cookie("console")
    without = desk(gateway)  # the field without the cookie, as another site could send it
    assert without.client.post("/console/sign-in", data=known.typed() | {"token": right}).status_code == 403
    empty = desk(gateway)
    empty.client.set_cookie("console-form", "", path="/")
    assert empty.client.post("/console/sign-in", data=known.typed() | {"token": ""}).status_code == 403
    assert browser.hasher.asked == []
    cookie = browser.page().headers["Set-Cookie"]
    assert "SameSite=Strict" in cookie
    assert "HttpOnly" in cookie


def test_a_session_cannot_be_fixed_beforehand(gateway: Gateway) -> None:
    known, browser = account(gateway), desk(gateway)
    with gateway.engine.begin() as connection:
        of_attacker = sessions.begin(connection, "attacker", Role.OPERATOR, utc_now())
    browser.client.set_cookie("console", of_attacker, path="/")
    assert browser.send(known.typed()).status_code == 303
    assert browser.cookie("console") not in ("", of_attacker)
    with gateway.engine.begin() as connection:
        assert sessions.find(connection, of_attacker, utc_now()) is None


def test_over_tls_the_cookies_belong_to_this_host_alone(gateway: Gateway) -> None:
    known, browser = account(gateway), desk(gateway, base="https://localhost")
    assert browser.page().headers["Set-Cookie"].startswith("__Host-console-form=")
    answer = browser.send(known.typed())
    (session,) = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith("__Host-console=")]
    assert all(word in session for word in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"))
    assert "Domain" not in session
    ended = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith("__Host-console-form=;")]
    assert "Secure" in ended[0], "without it no browser takes it"


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example/",
        "https://evil.example/console/",
        "/console//evil.example",
        "/console/../api",
        "/console/..",
        "/console/\\evil.example",
        "/console@evil.example/",
        "/console.evil.example/",
        "/consolex",
        "/api/v1",
        "/console/x\r\nSet-Cookie: console=mine",
        "/console/x%0d%0aSet-Cookie:%20a=b",
        "/console/x?a=\nb",
        "/console/x\n",
        "/console/sign-out",
        "/console/sign-in/state",
        "javascript:alert(1)",
        "/console/" + "x" * 1000,
        '/console/"><script>alert(1)</script>',
        "/console",
    ],
)
def test_afterwards_one_is_led_nowhere_else(gateway: Gateway, to: str) -> None:
    known, browser = account(gateway), desk(gateway)
    page = browser.client.get("/console/sign-in", query_string={"to": to})
    assert '<input type="hidden" name="to" value="">' in page.text
    assert "<script>alert" not in page.text
    answer = browser.send(known.typed(), to=to)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/")
    assert "mine" not in str(answer.headers)


@pytest.mark.parametrize(
    "to", ["/console/administration", "/console/administration?act=user+add&after=1%2C2"]
)
def test_one_comes_back_to_the_page_that_one_wanted(gateway: Gateway, to: str) -> None:
    known, client = account(gateway), Client(console.application(gateway))
    asked = client.get(to)
    assert asked.status_code == 303
    page = client.get(asked.headers["Location"])
    fields = known.typed() | {"token": token_of(page.text), "to": to}
    assert f'name="to" value="{to.replace("&", "&amp;")}"' in page.text
    answer = client.post("/console/sign-in", data=fields)
    assert answer.headers["Location"] == to
    assert client.get("/console/administration").status_code == 200


def test_what_was_posted_is_not_repeated_and_a_part_leads_the_whole_page(gateway: Gateway) -> None:
    client = Client(console.application(gateway))
    part = client.get("/console/administration", headers={"HX-Request": "true"})
    assert part.headers["HX-Redirect"] == "/console/sign-in?to=%2Fconsole%2Fadministration"
    assert part.text == ""


def test_one_address_has_few_tries_a_minute(gateway: Gateway) -> None:
    known, browser = account(gateway), desk(gateway, a_minute=3)
    for _ in range(3):
        assert browser.send(known.typed(**WRONG)).status_code == 403
    browser.hasher.asked.clear()
    assert browser.send(known.typed()).status_code == Busy.status
    assert browser.hasher.asked == []
    fields = known.typed() | {"token": token_of(browser.page().text)}
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    answer = browser.client.post("/console/sign-in", data=fields, environ_overrides=elsewhere)
    assert answer.status_code == 303


@pytest.mark.parametrize("change", ["disable", "role", "reset"])
def test_a_change_ends_every_session_at_once(gateway: Gateway, change: str) -> None:
    known = account(gateway)
    client = Client(console.application(gateway))
    token = token_of(client.get("/console/sign-in").text)
    assert client.post("/console/sign-in", data=known.typed() | {"token": token}).status_code == 303
    assert client.get("/console/administration").status_code == 200
    with gateway.engine.begin() as connection:
        if change == "disable":
            accounts.disable(connection, known.name, utc_now())
        elif change == "role":
            accounts.set_role(connection, known.name, Role.OPERATOR)
        else:
            accounts.reset(connection, known.name, accounts.given_password(Passwords(Counted())), utc_now())
    assert client.get("/console/administration").status_code == 303
    answer = desk(gateway).send(known.typed(code=known.code(ago=-30)))
    assert answer.status_code == (303 if change == "role" else 403)


def test_signing_out_is_on_record_and_only_by_a_form_of_the_session(gateway: Gateway) -> None:
    since, client = utc_now(), signed_in(gateway, Role.AUDITOR)
    page = client.get("/console/administration").text
    assert client.post("/console/sign-out").status_code == 403
    assert client.post("/console/sign-out", data={"csrf": "x"}).status_code == 403
    assert client.get("/console/administration").status_code == 200
    answer = client.post("/console/sign-out", data={"csrf": csrf_of(page)})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/sign-in")
    assert client.get("/console/administration").status_code == 303
    ((leaf, values),) = records(gateway, since, "sign out")
    assert (leaf["role"], values) == ("auditor", {"official": "auditor-1"})


def test_every_answer_is_kept_by_nobody_and_shown_in_no_frame(gateway: Gateway) -> None:
    client = signed_in(gateway, Role.AUDITOR)
    paths = [one.path for one in pages.discover() if "GET" in one.methods and "<" not in one.path]
    for path in (*paths, "no-such-page", "exchanges/x"):
        answer = client.get(f"/console/{path}")
        assert answer.headers["Cache-Control"] == "no-store", path
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"], path
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path


def test_without_the_log_nobody_signs_in(gateway: Gateway, tmp_path: Path) -> None:
    known = account(gateway)
    log = open_log(gateway.settings, open_engine(f"sqlite:///{tmp_path / 'empty.db'}"))
    log.close()
    browser = desk(dataclasses.replace(gateway, log=log))
    answer = browser.send(known.typed())
    assert answer.status_code == 503
    assert "exchange log cannot be reached" in answer.text
    assert not browser.cookie("console")
    with gateway.engine.begin() as connection:
        found = connection.execute(
            select(sessions.sessions).where(sessions.sessions.c.name == known.name)
        ).all()
        row = connection.execute(select(table.c.totp_step).where(table.c.name == known.name)).one()
    assert found == []
    assert row.totp_step is None, "the code was not used up"


def test_without_local_accounts_there_is_no_form(gateway: Gateway) -> None:
    settings = gateway.settings
    none = dataclasses.replace(settings, console=dataclasses.replace(settings.console, local=False))
    browser = desk(dataclasses.replace(gateway, settings=none))
    page = browser.page().text
    assert 'type="password"' not in page
    assert browser.client.post("/console/sign-in", data={"name": "x"}).status_code == 405


def test_both_languages_and_the_way_between_them(gateway: Gateway) -> None:
    client = Client(console.application(gateway))
    page = client.get("/console/sign-in?to=/console/administration")
    assert all(word in page.text for word in ("Pieslēgties", "Lietotājvārds", "Autentifikatora kods"))
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    answer = client.get("/console/sign-in?to=/console/administration&lang=en")
    assert answer.headers["Location"] == "/console/sign-in?to=%2Fconsole%2Fadministration"
    assert "User name" in client.get(answer.headers["Location"]).text
    assert "style=" not in page.text


def test_a_session_ends_by_itself(gateway: Gateway) -> None:
    now = utc_now()
    with gateway.engine.begin() as connection:
        token = sessions.begin(connection, "x", Role.DPO, now)
        assert sessions.find(connection, token, now + timedelta(minutes=29)) is not None
        assert sessions.find(connection, token, now + timedelta(minutes=31)) is None
        for minutes in range(20, 8 * 60, 20):
            sessions.note(connection, token, "", now + timedelta(minutes=minutes))
        assert sessions.find(connection, token, now + timedelta(minutes=481)) is None


def test_within() -> None:
    assert sign_in.within("/console", "/console/") == "/console/"
    assert sign_in.within("/console", "/console/a/b-c?x=1") == "/console/a/b-c?x=1"


def test_few_hash_at_a_time() -> None:
    class Slow(Counted):
        most = 0
        present = 0

        def verify(self, hash: str, password: str) -> bool:
            self.present += 1
            Slow.most = max(Slow.most, self.present)
            threading.Event().wait(0.02)
            self.present -= 1
            return super().verify(hash, password)

    passwords = Passwords(Slow(), at_once=2)
    kept = passwords.hashed("right")
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: passwords.right(kept, "right"), range(8)))
    assert Slow.most == 2

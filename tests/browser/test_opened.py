"""Pages opened by POST and those that say no: by the rules of accessibility, narrow, and with large letters."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import select

from audit.search import search
from endpoints.console import sessions
from endpoints.console.roles import Role
from exchange import utc_now
from gateway import Gateway
from registers.differences import DIFFERENCE
from tests.browser.seeded import on_a_socket, seed
from tests.browser.test_every_page import LISTED, violations
from tests.conftest import Template
from tests.endpoints.console.gateways import own_gateway
from tests.endpoints.console.recorded import sequence, write

pytestmark = pytest.mark.long

CODE = "320101-12345"
NAME = "Jūrmala"
# WCAG 1.4.10: nothing is lost on a window as narrow as that; 1.4.4: nor with letters twice as large.
_NARROW = {"width": 320, "height": 640}
_USUAL = {"width": 1280, "height": 800}
_TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
_LETTERS = "size => { document.documentElement.style.fontSize = size }"


@dataclass
class Judge:
    """A browser before the console, and what was wrong of the pages it was shown."""

    gateway: Gateway
    page: Page
    url: str
    axe: str
    language: str
    wrong: list[str] = field(default_factory=list)

    def sign_in(self, role: Role) -> None:
        """Go on as somebody with a role."""
        with self.gateway.engine.begin() as connection:
            token = sessions.begin(connection, f"test-{role.value}", role, utc_now())
        self.page.context.add_cookies(
            [
                {"name": "console", "value": token, "url": self.url},
                {"name": "language", "value": self.language, "url": self.url},
            ]
        )

    def goto(self, path: str) -> None:
        """Open a page by its address."""
        self.page.goto(f"{self.url}/console/{path}")

    def send(self, button: str, **fields: str) -> None:
        """Fill in fields of the first form that has them, and press a button."""
        for name, value in fields.items():
            self.page.locator(f"main [name={name}]:visible >> nth=0").fill(value)
        self.page.locator(button).first.click()

    def judge(self, what: str, *, rules: bool = True) -> None:
        """The page as it stands by the rules, then narrow, then with letters twice as large."""
        page = self.page
        if page.locator("h1").count() != 1 or page.locator("html").get_attribute("lang") != self.language:
            self.wrong.append(f"{what}: no heading, or another language")
        if rules:
            self.wrong += [f"{what}: {one}" for one in violations(page, self.axe)]
        page.set_viewport_size(_NARROW)  # type: ignore[arg-type]
        if page.evaluate(_TOO_WIDE):
            self.wrong.append(f"{what}: too wide for a narrow window")
        page.set_viewport_size(_USUAL)  # type: ignore[arg-type]
        page.evaluate(_LETTERS, "187.5%")
        if page.evaluate(_TOO_WIDE):
            self.wrong.append(f"{what}: too wide with large letters")
        page.evaluate(_LETTERS, "")


@pytest.fixture(scope="module")
def gateway(
    made_keys: Path, template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway with something of everything."""
    folder = tmp_path_factory.mktemp("opened")
    shutil.copytree(made_keys, folder / "keys")
    shutil.copy(template("sqlite"), folder / "gateway.db")
    with own_gateway(folder, f"sqlite:///{folder / 'gateway.db'}") as made:
        seed(made, (NAME,))
        write(made, CODE)
        sequence(made)
        yield made


@pytest.fixture(scope="module")
def url(gateway: Gateway) -> Iterator[str]:
    with on_a_socket(gateway) as address:
        yield address


@pytest.fixture(params=[("lv", "light"), ("en", "dark")], ids=lambda one: one[0])
def judge(
    request: pytest.FixtureRequest, gateway: Gateway, chromium: Browser, url: str, axe: str
) -> Iterator[Judge]:
    language, scheme = request.param
    context = chromium.new_context(viewport=_USUAL, color_scheme=scheme)  # type: ignore[arg-type]
    yield Judge(gateway, context.new_page(), url, axe, language)
    context.close()


def test_what_is_opened_for_a_purpose(judge: Judge) -> None:
    judge.sign_in(Role.DPO)
    judge.goto("person")
    judge.send("main button[type=submit]", person=CODE, purpose="iesniegums")
    assert judge.page.locator(".report .entries li").count() > 0
    judge.judge("report")
    judge.page.emulate_media(media="print")
    labels = judge.page.evaluate("getComputedStyle(document.querySelector('.report dt')).color")
    assert labels == "rgb(87, 83, 75)", "on paper it is never pale on white"
    assert not judge.page.locator(".menu, form, .on-record").and_(judge.page.locator(":visible")).count()
    judge.page.emulate_media(media="screen")
    (found,) = search(judge.gateway.engine, kind="outcome", outcome="failed", limit=1)
    judge.goto(f"exchanges/{found.leaf['exchange']}")
    judge.send("#open ~ form button", purpose="lieta")
    judge.judge("exchange, values")
    judge.send("button[name=as][value=text]")
    assert judge.page.locator("pre.payload").count() == 1
    judge.judge("exchange, message")
    judge.goto("unusual?state=all")
    judge.send("#open ~ form button", purpose="lieta")
    assert judge.page.locator(".flag form.inline").count() > 0
    judge.judge("unusual look-ups")
    judge.send(".flag form.inline button")
    judge.judge("search by official")
    for name in ("late", "stays", "alerts", "handovers", "child"):
        judge.goto("children")
        judge.page.select_option("[name=what]", name)
        judge.send("main button[type=submit]", person_code=CODE, purpose="lieta")
        judge.judge(f"children, {name}")
    with judge.gateway.engine.connect() as connection:
        difference = connection.execute(select(DIFFERENCE.c.id).limit(1)).scalar_one()
    judge.goto(f"reconciliation/{difference}")
    judge.judge("difference")
    judge.send("main button[type=submit]", purpose="lieta")
    assert judge.page.locator("[name=act]").count() > 1
    judge.judge("difference, opened")
    assert judge.wrong == []


def test_what_is_asked_once_more_and_what_was_done(judge: Judge) -> None:
    judge.sign_in(Role.OPERATOR)
    for act in ("replay", "park"):
        judge.goto("outbox")
        judge.page.check("tbody input[type=checkbox] >> nth=0")
        judge.send(f"button[name=act][value={act}]")
        assert judge.page.locator("main [name=reason]").count() == 1
        judge.judge(f"outbox, {act}")
    judge.goto("outbox?done=replay&changed=1")
    judge.judge("outbox, done")
    judge.sign_in(Role.ADMINISTRATOR)
    for path in (
        f"parties/partners/{NAME}",
        f"parties/partners/{NAME}/disable",
        f"parties/callers/{NAME}/disable",
    ):
        judge.goto(path)
        judge.judge(path)
    assert judge.wrong == []


def test_what_says_no(judge: Judge) -> None:
    judge.sign_in(Role.OPERATOR)
    for path in ("person", "nowhere", "systems/nowhere"):
        judge.goto(path)
        judge.judge(path)
    judge.goto("children")
    judge.judge("a page of another role")
    judge.page.context.clear_cookies(name="console")
    judge.goto("sign-in")
    judge.send("main button[type=submit]", **dict.fromkeys(("name", "password", "code"), "000000"))
    assert judge.page.locator("[role=alert]").count() == 1
    judge.judge("sign-in, refused")
    assert judge.wrong == []


def test_lists_on_a_narrow_window_and_with_large_letters(judge: Judge) -> None:
    for page in LISTED:
        judge.sign_in(min(page.roles))
        judge.goto(page.path)
        judge.judge(page.path or "overview", rules=False)
    assert judge.wrong == []


@pytest.mark.parametrize("path", ["sign-in", "search", ""])
def test_the_focus_is_seen(judge: Judge, path: str) -> None:
    """A ring of three pixels around whatever Tab comes to, and nothing cuts it off."""
    if path != "sign-in":
        judge.sign_in(Role.AUDITOR)
    judge.goto(path)
    seen = set()
    for _ in range(40):
        judge.page.keyboard.press("Tab")
        tag, style, width = judge.page.evaluate(
            "(one => [one.tagName, getComputedStyle(one).outlineStyle, getComputedStyle(one).outlineWidth])"
            "(document.activeElement)"
        )
        if tag == "BODY":
            break
        seen.add(tag)
        assert (style, width) == ("solid", "3px"), tag
    assert {"A", "BUTTON"} <= seen

"""What others write is text on every page, whoever looks; it runs nothing, hides nothing and breaks no page."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from sqlalchemy import select

from audit import Kind
from audit.search import search
from endpoints.console import pages, sessions
from endpoints.console.roles import SEES_PERSONS, Role
from exchange import utc_now
from gateway import Gateway
from registers.differences import DIFFERENCE
from routing.outbox import outbox
from storage import reading
from tests.browser.seeded import ADDRESS, CORPUS, LONG, MARKUP, UNSEEN, on_a_socket, seed
from tests.conftest import Template
from tests.endpoints.console.gateways import own_gateway

pytestmark = pytest.mark.long

# Elements of the corpus, handlers, and addresses that lead away, as a page has them in the end.
_FOUND = """() => [
  ...document.querySelectorAll('[data-hostile]'),
  ...[...document.querySelectorAll('*')].filter(
    one => [...one.attributes].some(attribute => attribute.name.startsWith('on'))),
  ...[...document.querySelectorAll('[href], [src], [action], [formaction]')].filter(
    one => ['href', 'src', 'action', 'formAction'].some(
      name => typeof one[name] === 'string' && one[name] && !one[name].startsWith(location.origin + '/console/'))),
].map(one => one.outerHTML.slice(0, 200))"""
_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_WIDEST = """() => [...document.querySelectorAll('body *')].filter(
  one => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest('.scroll')
).map(one => one.outerHTML.slice(0, 80)).slice(0, 3)"""
_UNSEEN = [one for one in UNSEEN if not one.isprintable()]


@dataclass
class Visitor:
    """Somebody with a role before a browser, and what went wrong."""

    context: BrowserContext
    url: str
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page = self.context.new_page()
        self.page.on("console", lambda said: self._heard(said.text))
        self.page.on("pageerror", lambda error: self._heard(str(error)))
        self.page.on("dialog", lambda dialog: self._heard(dialog.message))
        self.page.on(
            "request", lambda asked: None if asked.url.startswith(self.url) else self._heard(asked.url)
        )

    def _heard(self, text: str) -> None:
        # Of an answer such as 404 Chromium complains by itself.
        if "Failed to load resource" not in text:
            self.wrong.append(f"{self.page.url}: {text[:200]}")

    def see(self, path: str) -> Page:
        """Open a page and look at it."""
        self.page.goto(f"{self.url}/console/{path}")
        return self.looked()

    def looked(self) -> Page:
        """What must hold of a page, however one came to it."""
        page, at = self.page, self.page.url
        text = page.inner_text("body")
        self.wrong += [f"{at}: {one}" for one in page.evaluate(_FOUND)]
        self.wrong += [f"{at}: {what}" for what in ("tpl49", "Traceback", "Internal Server") if what in text]
        self.wrong += [f"{at}: U+{ord(one):04X} is not to be seen" for one in _UNSEEN if one in text]
        if "taken" in page.title():
            self.wrong.append(f"{at}: a script ran")
        if page.evaluate(_WIDE) > 0:
            self.wrong.append(
                f"{at}: wider than the window by {page.evaluate(_WIDE)}: {page.evaluate(_WIDEST)}"
            )
        return page

    def open_for_a_purpose(self, purpose: str) -> Page:
        """Send the form of the page that asks for a purpose."""
        self.page.locator("[name=purpose]:visible >> nth=0").fill(purpose)
        self.page.locator("form:has([name=purpose]:visible) button[type=submit] >> nth=0").click()
        return self.looked()


@pytest.fixture(scope="module")
def gateway(
    made_keys: Path, template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway whose every text is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    shutil.copytree(made_keys, folder / "keys")
    shutil.copy(template("sqlite"), folder / "gateway.db")
    with own_gateway(folder, f"sqlite:///{folder / 'gateway.db'}") as made:
        seed(made, CORPUS)
        yield made


@pytest.fixture(scope="module")
def url(gateway: Gateway) -> Iterator[str]:
    with on_a_socket(gateway) as address:
        yield address


def visitor(gateway: Gateway, chromium: Browser, url: str, role: Role, name: str) -> Visitor:
    """With a name as the state login might say it."""
    context = chromium.new_context(
        viewport={"width": 1280, "height": 800},
        extra_http_headers={"Accept-Language": MARKUP.replace("\n", "")},
    )
    with gateway.engine.begin() as connection:
        token = sessions.begin(connection, name, role, utc_now())
    context.add_cookies([{"name": "console", "value": token, "url": url}])
    return Visitor(context, url)


@pytest.mark.parametrize(("role", "name"), list(zip(Role, CORPUS, strict=True)), ids=lambda one: str(one)[:8])
def test_every_page_of_a_role(gateway: Gateway, chromium: Browser, url: str, role: Role, name: str) -> None:
    """Lists as they are, each with what is typed into its address, and then what is opened from them."""
    who = visitor(gateway, chromium, url, role, name)
    own = [page.path for page in pages.discover() if role in page.roles and "GET" in page.methods]
    for path in own:
        if "<" not in path and not path.endswith(".csv"):
            who.see(path)
    for path in sorted({"search", "outbox", "lineage", "access/check"} & set(own)):
        names = (
            "system",
            "operation",
            "rule",
            "purpose",
            "recipient",
            "act",
            "state",
            "from",
            "lang",
            "after",
        )
        who.see(f"{path}?{urlencode(dict.fromkeys(names, MARKUP))}")
    who.see(f"systems/{quote(MARKUP, safe='')}")
    who.see(f"sign-in?{urlencode({'to': '//evil.invalid/'})}")
    for path in _opened_by_address(gateway, role):
        who.see(path)
    if role in SEES_PERSONS:
        _open_persons(who, gateway)
    who.context.close()
    assert who.wrong == []


def _opened_by_address(gateway: Gateway, role: Role) -> Iterator[str]:
    """The pages of what lists name, one for each text."""
    texts = [quote(text, safe="") for text in CORPUS if "/" not in text]
    if role is Role.ADMINISTRATOR:
        for text in texts:
            yield from (f"parties/partners/{text}", f"parties/partners/{text}/disable")
            yield f"parties/callers/{text}/disable"
    if role is Role.OPERATOR:
        with reading(gateway.engine).begin() as connection:
            yield from (f"outbox/{row}" for row in connection.execute(select(outbox.c.id)).scalars())
        yield "systems/npais"


def _open_persons(who: Visitor, gateway: Gateway) -> None:
    """What is opened by POST: values and messages, differences, flags, children, records by their official."""
    for found in search(gateway.engine, kind=Kind.OUTCOME.value, outcome="failed", limit=len(CORPUS)):
        who.see(f"exchanges/{found.leaf['exchange']}")
        who.open_for_a_purpose(MARKUP[:400])
        who.page.click("button[name=as][value=text] >> nth=0")
        assert who.looked().locator("pre.payload").count() == 1
    with reading(gateway.engine).begin() as connection:
        rows = connection.execute(select(DIFFERENCE.c.id)).scalars().all()
    for row in rows:
        who.see(f"reconciliation/{row}")
        who.open_for_a_purpose("lieta")
        assert who.page.locator(".value").count() == 2
    who.see("unusual?state=all")
    who.open_for_a_purpose(ADDRESS)
    assert who.page.locator(".flag form.inline").count() >= len(CORPUS)
    who.page.click(".flag form.inline button >> nth=0")
    assert who.looked().locator(".found tbody tr").count() > 0
    for name in ("late", "stays", "alerts"):
        who.see("children")
        who.page.select_option("[name=what]", name)
        who.open_for_a_purpose("lieta")
        assert who.page.locator("tbody tr").count() >= len(CORPUS)


def test_no_cell_of_a_sheet_is_a_formula(gateway: Gateway, chromium: Browser, url: str) -> None:
    who = visitor(gateway, chromium, url, Role.AUDITOR, "auditor")
    text = who.context.request.get(f"{url}/console/search?as=csv&kind=outcome").text()
    cells = [cell for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"))) for cell in row]
    assert f"'{LONG}" in cells
    assert [cell[:40] for cell in cells if len(cell) > 1 and cell[0] in "=+-@\t\r\n"] == []
    who.context.close()

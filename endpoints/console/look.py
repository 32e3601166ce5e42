"""How the console looks: its templates, its few static files, and the pages that say what went wrong."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment as Templates
from jinja2 import FileSystemLoader, StrictUndefined
from markupsafe import Markup
from werkzeug.wrappers import Response

from endpoints.console.figures import number
from endpoints.console.roles import Role
from endpoints.console.visit import Page, Shown, SignedIn, Visit, moment, when
from endpoints.console.words import say
from errors import Busy, GatewayError, InvalidRequest, LogUnavailable, NotFound
from exchange import Environment
from questions.words import Language

HERE = Path(__file__).parent
STATIC = HERE / "static"
# Controls but for tab and line feeds; marks and overrides of direction; what has no width.
_UNSEEN = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
_A_YEAR = "public, max-age=31536000, immutable"

# The groups of the menu, in their order; each is shown to who may see a page of it.
GROUPS = ("Look", "Ask", "Decide", "Run", "Law", "You")

ROLES = {
    Role.AUDITOR: "Auditor",
    Role.DPO: "Data-protection officer",
    Role.OPERATOR: "Operator",
    Role.ADMINISTRATOR: "Administrator",
}

# What a person is told of an error, by its code; what is not here is told by its message.
_SENTENCES = {
    "access_denied": "Your role does not open this page.",
    "not_found": "There is no such thing.",
    "log_unavailable": "The exchange log cannot be reached, and without it nothing is shown. Try again in a minute.",
    "busy": "Too many at once. Try again in a moment.",
    "invalid_request": "That is not understood.",
}


class Look:
    """How the pages of one application look."""

    def __init__(self, environment: Environment, pages: Sequence[Page]) -> None:
        self._environment = environment.value
        self._pages = pages

    def page(self, visit: Visit, page: Page, shown: Shown) -> Response:
        """A page within the frame that all of them have: menu, who is signed in, and what went on record."""
        content = self._frame(visit.user, visit.language, visit.path, page.title)
        content |= {"visit": visit, "recorded": tuple(visit.recorded), **shown.content}
        return self._made(shown.template, content, shown.status)

    def refused(
        self, user: SignedIn, language: Language, path: str, error: GatewayError, sentence: str = ""
    ) -> Response:
        """An error as a page that says what to do; nothing that was typed is repeated."""
        words = partial(say, language)
        # What a page says of a request, it says in the language of the visit.
        detail = error.detail if not sentence and error.code == InvalidRequest.code else ""
        sentence = sentence or _SENTENCES.get(error.code, "")
        content = self._frame(user, language, path, "That did not work")
        content |= {
            "sentence": f"{words(sentence)} {detail}".rstrip() if sentence else error.message,
            "code": error.code,
            "exchange_id": str(error.exchange_id) if error.exchange_id else "",
            "retry": isinstance(error, LogUnavailable | Busy),
        }
        status = 404 if isinstance(error, NotFound) else error.status
        return self._made("error.html.jinja", content, status)

    def bare(self, language: Language, status: int) -> Response:
        """A page for an error outside of every page of ours, for whoever it is."""
        return self._made("bare.html.jinja", self._plain(language) | {"status": status}, status)

    def plain(
        self, template: str, language: Language, content: Mapping[str, Any], status: int = 200
    ) -> Response:
        """A page without the menu: nobody is signed in."""
        return self._made(template, self._plain(language) | dict(content), status)

    def static(self, name: str) -> Response:
        """A static file; its address holds its digest, so browsers may keep it."""
        path = STATIC / name
        if path.name not in _digests() or path.parent != STATIC:
            return Response("not found\n", 404)
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return Response(path.read_bytes(), 200, {"Cache-Control": _A_YEAR}, content_type=kind)

    def _plain(self, language: Language) -> dict[str, Any]:
        words = partial(say, language)
        return {"_": words, "language": language.value, "environment": self._environment}

    def _frame(self, user: SignedIn, language: Language, path: str, title: str) -> dict[str, Any]:
        menu = [
            (group, [page for page in self._pages if page.group == group and _opens(user, page)])
            for group in GROUPS
        ]
        return self._plain(language) | {
            "title": title,
            "user": user,
            "role": ROLES[user.role],
            "menu": [(group, listed) for group, listed in menu if listed],
            "path": path,
        }

    def _made(self, template: str, content: Mapping[str, Any], status: int) -> Response:
        text = _templates().get_template(template).render(**content)
        return Response(text, status, content_type="text/html; charset=utf-8")


def _opens(user: SignedIn, page: Page) -> bool:
    return user.role in page.roles and (page.confined or not user.confined)


def warm() -> None:
    """Compile every template and read the words and figures of both languages: the first page waits for none of it.

    Raises: ConfigurationError for translations that cannot be read.
    """
    for name in _templates().list_templates():
        _templates().get_template(name)
    for language in Language:
        say(language, "")
        number(language, 0)


@cache
def _templates() -> Templates:
    """The templates, each compiled once in a process."""
    found = Templates(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=plain_to_see,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals |= {
        "static": static_url,
        "moment": moment,
        "when": when,
        "address": address,
        "roles": {role.value: text for role, text in ROLES.items()},
    }
    return found


def address(path: str, query: Mapping[str, str]) -> str:
    """A path with a query, without what is empty."""
    told = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(told)}" if told else path


def plain_to_see(value: object) -> object:
    """A value with what an eye would miss in it written out: zero-width characters, turned directions, controls.

    So no name of an official looks like another's. Where a form sends a value back as it is, the template says `| e`.
    """
    if isinstance(value, Markup):
        return value
    text = str(value)
    return _UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text) if _UNSEEN.search(text) else value


def static_url(name: str) -> str:
    """The address of a static file, with its digest."""
    return f"/console/static/{name}?v={_digests()[name]}"


@cache
def _digests() -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for path in STATIC.iterdir()
        if path.is_file()
    }

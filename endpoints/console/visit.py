"""One request to the console: who asks, in which language, and what is put on record before anything is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Response

from audit import Entry, Kind
from endpoints.console.names import is_of_state_login
from endpoints.console.passwords import Passwords
from endpoints.console.roles import SEES_PERSONS, Role
from endpoints.console.words import say
from endpoints.readiness import Readiness
from errors import AccessDenied, InvalidRequest
from exchange import RIGA, Json, new_id, utc_now
from gateway import Gateway
from questions.purposes import why
from questions.words import Language

_MOST_OF_A_PURPOSE = 500


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is signed in: the name of an account, or the subject of the state login (`PNOLV-…`).

    `session` is the digest of the session, `address` the one that it was used from last. Who is `confined` has yet to
    choose a password, and sees nothing before.
    """

    name: str
    role: Role
    csrf: str
    since: datetime
    seen: datetime
    expires: datetime
    session: str
    address: str
    confined: bool

    @property
    def by_state_login(self) -> bool:
        """Whether there is no account of the gateway."""
        return is_of_state_login(self.name)


@dataclass(slots=True)
class Visit:
    """What a page is given. `form` is "" where a field is missing, and so is `query`.

    `peer` is the address that asks; `passwords` None where there are no local accounts.
    """

    gateway: Gateway
    user: SignedIn
    language: Language
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    readiness: Readiness
    peer: str
    passwords: Passwords | None
    method: str = "GET"
    recorded: list[str] = field(default_factory=list)

    def say(self, text: str, **values: object) -> str:
        """A text in the language of the visit."""
        return say(self.language, text, **values)

    def purpose(self) -> str:
        """Why a person or payload is to be opened, as it was typed.

        Raises: InvalidRequest when nothing was.
        """
        text = " ".join(self.form.get("purpose", "").split())
        if not text:
            raise InvalidRequest(self.say("Say why you ask: the purpose goes on record."))
        if len(text) > _MOST_OF_A_PURPOSE:
            raise InvalidRequest(self.say("The purpose may have 500 characters."))
        return text

    def may_see_persons(self) -> None:
        """Raises: AccessDenied for a role that never opens payloads or persons."""
        if self.user.role not in SEES_PERSONS:
            raise AccessDenied("this role opens no personal data")

    def on_record(
        self,
        act: str,
        purpose: str,
        facts: Mapping[str, Json],
        personal: Mapping[str, Json] | None = None,
    ) -> None:
        """Put on record who looks at what and why; called before anything of it is shown. The page says so.

        Raises: LogUnavailable.
        """
        public, typed = why(purpose)
        self.gateway.log.write(self.entry(act, {**public, **facts}, {**typed, **(personal or {})}))
        self.recorded.append(act)

    def entry(self, act: str, facts: Mapping[str, Json], personal: Mapping[str, Json] | None = None) -> Entry:
        """The record of an act at the console, for acts that change something: appended in their transaction."""
        return Entry(
            Kind.ADMIN,
            new_id(),
            utc_now(),
            facts={
                "environment": self.gateway.settings.environment.value,
                "act": act,
                "at": "console",
                "role": self.user.role.value,
                **facts,
            },
            personal={"official": self.user.name, **(personal or {})},
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows: a template of `templates/`, and what stands in it."""

    template: str
    content: Mapping[str, Any]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `path` is below /console, in werkzeug's form; one without `title` is not in the menu.

    Texts are English and looked up in `words/lv.po`. `rank` orders the menu within its group. One that is `confined`
    is open to whoever has yet to choose a password.
    """

    path: str
    roles: frozenset[Role]
    show: Callable[..., Shown | Response]
    title: str = ""
    group: str = ""
    rank: int = 0
    methods: tuple[str, ...] = ("GET",)
    confined: bool = False


def moment(instant: datetime | None) -> str:
    """An instant as experts sort it: day and time of Europe/Riga."""
    return "" if instant is None else f"{instant.astimezone(RIGA):%Y-%m-%d %H:%M:%S}"


def when(leaf: Mapping[str, Json]) -> str:
    """The instant of a record, as `moment` has it."""
    return moment(datetime.fromisoformat(str(leaf["instant"])))

"""Signing in and out: who is nobody yet is asked, by a local account or by the state login; all of it on record.

Without the exchange log nobody signs in. Whoever is refused hears the same sentence, whatever the reason: that stands
in the record alone.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from flask import Flask, redirect
from flask import request as asking
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Request, Response

from audit import Entry, Kind
from endpoints import refusals
from endpoints.arrivals import Limiter
from endpoints.console import accounts, barring, cookies, flows, sessions
from endpoints.console.look import Look
from endpoints.console.oidc import Person, StateLoginClient
from endpoints.console.passwords import Passwords
from endpoints.console.roles import Role
from endpoints.console.visit import SignedIn
from endpoints.console.words import say
from errors import (
    AccessDenied,
    Busy,
    ConfigurationError,
    GatewayError,
    LogUnavailable,
    NotAuthenticated,
    PartnerError,
)
from exchange import Json, new_id, utc_now
from gateway import Gateway
from questions.words import Language
from security.masters import MasterKeys
from storage import reading

# Attempts of one peer address in a minute, in one process.
A_MINUTE = 10
_LOCAL, _STATE = "local", "oidc"
_FORM, _FLOW = "console-form", "console-flow"
_MOST_ADDRESS = 900
# Below the root: segments of plain letters, then a query of plain letters; no host, no dots that lead upwards.
_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?(?:\?[A-Za-z0-9._~%=&+:,-]*)?")
_MOST_NAME = 100
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

_REFUSED = "Name, password or code is not right, or the account is locked for now."
_STATE_REFUSED = "The state login did not sign you in here. You may have no role at this console."
_STALE = "The form was no longer good. Please try again."
_OVER = "That sign-in took too long or was used already. Please begin again."
_SENTENCES: Mapping[type[GatewayError], str] = {
    LogUnavailable: (
        "The exchange log cannot be reached, and without it nothing is shown. Try again in a minute."
    ),
    Busy: "Too many at once. Try again in a moment.",
    PartnerError: "The state login does not answer. Try again in a moment.",
}
_UNFORESEEN = "Something went wrong here. The operators can see what."


def by_itself(request: Request) -> bool:
    """Whether a page asks for a part of itself anew, by htmx."""
    return request.headers.get("HX-Request") == "true"


def asked(request: Request, root: str) -> Response:
    """To the page that asks who one is; afterwards one comes back to where one wanted to go."""
    leads_to = f"{root}/"
    if request.method == "GET":
        query = request.query_string.decode("ascii", "replace")
        leads_to = within(root, f"{request.path}?{query}" if query else request.path)
    address = f"{root}/sign-in"
    if leads_to != f"{root}/":
        address += f"?{urlencode({'to': leads_to})}"
    return led(request, address)


def led(request: Request, address: str) -> Response:
    """To another page, the whole of it: a part of a page would get it into itself."""
    if by_itself(request):
        return Response("", 200, {"HX-Redirect": address})
    return redirect(address, 303)


def within(root: str, address: str) -> str:
    """An address of a page of ours; whatever else it is, the overview."""
    rest = address.removeprefix(root)
    inside = address.startswith(root) and len(address) <= _MOST_ADDRESS and _PLAIN.fullmatch(rest)
    return f"{root}/" if not inside or rest.startswith("/sign-") or not rest else address


def add(
    app: Flask,
    gateway: Gateway,
    look: Look,
    root: str,
    language: Callable[[], Language],
    passwords: Passwords | None,
    *,
    a_minute: int = A_MINUTE,
) -> None:
    """The pages of signing in; without `passwords` there are no local accounts.

    Raises: ConfigurationError when the secret of the state login cannot be read.
    """
    known = gateway.settings.console
    desk = _Desk(
        gateway=gateway,
        look=look,
        root=root,
        language=language,
        keys=MasterKeys(gateway.settings.keys),
        passwords=passwords,
        client=StateLoginClient(known.state_login) if known.state_login else None,
        limiter=Limiter(a_minute, clock=lambda: time.monotonic() / 60),
    )
    app.add_url_rule(f"{root}/sign-in", "sign-in", desk.ask, methods=("GET",))
    app.add_url_rule(f"{root}/sign-out", "sign-out", desk.out, methods=("POST",))
    if desk.passwords is not None:
        app.add_url_rule(f"{root}/sign-in", "sign-in-local", desk.by_account, methods=("POST",))
    if desk.client is not None:
        app.add_url_rule(f"{root}/sign-in/state", "sign-in-state", desk.away, methods=("GET",))
        app.add_url_rule(f"{root}/sign-in/answer", "sign-in-answer", desk.back, methods=("GET",))


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where one signs in."""

    gateway: Gateway
    look: Look
    root: str
    language: Callable[[], Language]
    keys: MasterKeys
    passwords: Passwords | None
    client: StateLoginClient | None
    limiter: Limiter

    def ask(self) -> Response:
        """The page that asks."""
        return self._page(within(self.root, asking.args.get("to", "")))

    def by_account(self) -> Response:
        """Name, password and code, from a form of ours."""
        leads_to = within(self.root, asking.form.get("to", ""))
        held, sent = cookies.held(_FORM), asking.form.get("token", "")
        if not held or not hmac.compare_digest(held.encode(), sent.encode()):
            return self._page(leads_to, _STALE, 403)
        typed = accounts.Typed(
            asking.form.get("name", "")[:_MOST_NAME],
            asking.form.get("password", ""),
            asking.form.get("code", ""),
        )
        try:
            self._slowly()
            token = self._judged(typed)
        except (GatewayError, SQLAlchemyError) as error:
            return self._trouble(leads_to, error)
        if token is None:
            return self._page(leads_to, _REFUSED, 403)
        return self._welcome(leads_to, token)

    def away(self) -> Response:
        """To the state login."""
        leads_to = within(self.root, asking.args.get("to", ""))
        try:
            self._slowly()
            comes_back = self._comes_back()
            with self.gateway.engine.begin() as connection:
                flow = flows.begin(connection, leads_to, utc_now())
            address = self._client().address(flow, comes_back)
        except (GatewayError, SQLAlchemyError) as error:
            return self._trouble(leads_to, error)
        answer = redirect(address, 303)
        # Lax, because the browser comes back from another site.
        cookies.keep(answer, _FLOW, flow.token, seconds=int(flows.LONGEST.total_seconds()))
        return answer

    def back(self) -> Response:
        """From the state login, with its answer."""
        answer = self._answered()
        cookies.forget(answer, _FLOW)
        return answer

    def out(self) -> Response:
        """Sign out; by a form of the session that ends."""
        token = cookies.held(cookies.SESSION)
        answer = redirect(f"{self.root}/sign-in", 303)
        try:
            user = self._user(token)
            if user is not None:
                said = asking.form.get("csrf", "")
                if not hmac.compare_digest(said.encode(), user.csrf.encode()):
                    error = AccessDenied("the form is not of this session")
                    return self.look.refused(user, self.language(), asking.path, error)
                self._ended(user, token)
        except (GatewayError, SQLAlchemyError) as error:
            # Nobody goes on at this browser, though the session stands until it is idle for too long.
            answer = self._trouble(f"{self.root}/", error)
        cookies.forget(answer, cookies.SESSION)
        return answer

    def _judged(self, typed: accounts.Typed) -> str | None:
        """The token of a new session, or None; with its record in the same transaction."""
        if self.passwords is None:
            raise ConfigurationError("there are no local accounts")
        now = utc_now()
        seen = accounts.see(self.gateway.engine, self.keys, self.passwords, typed, now)
        before = cookies.held(cookies.SESSION)

        def work(connection: Connection) -> str | None:
            verdict = accounts.judge(connection, self.keys, seen, now)
            role, log = verdict.role, self.gateway.log
            if verdict.refusal is None and role is not None:
                return self._began(
                    connection, seen.name, role, _LOCAL, before, now, confined=verdict.confined
                )
            reason = {"reason": str(verdict.refusal)}
            # A name that is nobody's may be anything, a password too: kept as what can be erased.
            who = "official" if role is not None else "typed"
            log.append(connection, self._entry("sign in refused", role, _LOCAL, {who: typed.name}, reason))
            if verdict.locks:
                log.append(connection, self._entry("sign in locked", role, _LOCAL, {who: typed.name}))
            return None

        return self.gateway.log.commit(work)

    def _answered(self) -> Response:
        token = cookies.held(_FLOW)
        leads_to, person = None, None
        try:
            self._slowly()
            comes_back, flow = self._comes_back(), flows.Flow(token)
            with self.gateway.engine.begin() as connection:
                leads_to = flows.take(connection, token, utc_now()) if token else None
            if leads_to is None:
                self._refused(None, "no sign-in under way")
                return self._page(f"{self.root}/", _OVER, 403)
            try:
                code = self._client().code(flow, asking.args.to_dict(flat=False))
                person = self._client().person(flow, code, comes_back)
            except NotAuthenticated as error:
                self._refused(None, error.detail)
                return self._page(leads_to, _STATE_REFUSED, 403)
            if person.role is None:
                self._refused(person, "not exactly one role")
                return self._page(leads_to, _STATE_REFUSED, 403)
            session = self._let_in(person, person.role)
            if session is None:
                return self._page(leads_to, _STATE_REFUSED, 403)
            return self._welcome(leads_to, session)
        except (GatewayError, SQLAlchemyError) as error:
            return self._trouble(leads_to or f"{self.root}/", error)

    def _let_in(self, person: Person, role: Role) -> str | None:
        """The token of a new session; None for one who is barred."""
        before, now = cookies.held(cookies.SESSION), utc_now()

        def work(connection: Connection) -> str | None:
            if barring.is_barred(connection, person.name):
                entry = self._entry(
                    "sign in refused", role, _STATE, {"official": person.name}, {"reason": "barred"}
                )
                self.gateway.log.append(connection, entry)
                return None
            return self._began(connection, person.name, role, _STATE, before, now)

        return self.gateway.log.commit(work)

    def _began(
        self,
        connection: Connection,
        name: str,
        role: Role,
        way: str,
        before: str,
        now: datetime,
        *,
        confined: bool = False,
    ) -> str:
        """A new session, always with a token of its own; the one that this browser had ends."""
        if before:
            sessions.end(connection, before)
        peer = str(asking.remote_addr or "")
        token = sessions.begin(connection, name, role, now, address=peer, confined=confined)
        self.gateway.log.append(connection, self._entry("sign in", role, way, {"official": name}))
        return token

    def _refused(self, person: Person | None, reason: str) -> None:
        who: dict[str, Json] = {} if person is None else {"official": person.name}
        self.gateway.log.write(self._entry("sign in refused", None, _STATE, who, {"reason": reason}))

    def _user(self, token: str) -> SignedIn | None:
        if not token:
            return None
        with reading(self.gateway.engine).begin() as connection:
            return sessions.find(connection, token, utc_now())

    def _ended(self, user: SignedIn, token: str) -> None:
        way = _STATE if user.by_state_login else _LOCAL
        entry = self._entry("sign out", user.role, way, {"official": user.name})

        def work(connection: Connection) -> None:
            sessions.end(connection, token)
            self.gateway.log.append(connection, entry)

        self.gateway.log.commit(work)

    def _entry(
        self,
        act: str,
        role: Role | None,
        way: str,
        personal: Mapping[str, Json],
        facts: Mapping[str, Json] | None = None,
    ) -> Entry:
        return Entry(
            Kind.ADMIN,
            new_id(),
            utc_now(),
            facts={
                "environment": self.gateway.settings.environment.value,
                "act": act,
                "at": "console",
                "role": role.value if role else "",
                "way": way,
                **(facts or {}),
            },
            personal=personal,
        )

    def _slowly(self) -> None:
        """Raises: Busy when this peer tries too often."""
        try:
            self.limiter.check(str(asking.remote_addr))
        except Busy as error:
            refusals.count(error.code)
            raise

    def _client(self) -> StateLoginClient:
        if self.client is None:
            raise ConfigurationError("there is no state login")
        return self.client

    def _comes_back(self) -> str:
        """Where the state login sends the browser back to: what the request says of its host is anybody's word.

        Raises: ConfigurationError without [console] address, but on this machine.
        """
        known = self.gateway.settings.console.state_login
        base = known.address if known is not None else ""
        if not base:
            if urlsplit(asking.host_url).hostname not in _LOOPBACK:
                raise ConfigurationError("[console] address is missing")
            base = asking.host_url.rstrip("/")
        return f"{base}{self.root}/sign-in/answer"

    def _welcome(self, leads_to: str, token: str) -> Response:
        answer = redirect(leads_to, 303)
        cookies.keep(answer, cookies.SESSION, token)
        cookies.forget(answer, _FORM)
        return answer

    def _trouble(self, leads_to: str, error: Exception) -> Response:
        ours = LogUnavailable() if isinstance(error, SQLAlchemyError) else error
        sentence = next((text for kind, text in _SENTENCES.items() if isinstance(ours, kind)), _UNFORESEEN)
        status = ours.status if isinstance(ours, GatewayError) else 500
        return self._page(leads_to, sentence, status)

    def _page(self, leads_to: str, problem: str = "", status: int = 200) -> Response:
        """The page with a form token: also in a cookie that other sites' forms do not bring along."""
        token, language = cookies.held(_FORM), self.language()
        if not re.fullmatch(r"[A-Za-z0-9_-]{43}", token):
            token = secrets.token_urlsafe(32)
        content = {
            "problem": say(language, problem) if problem else "",
            "to": "" if leads_to == f"{self.root}/" else leads_to,
            "token": token,
            "local": self.passwords is not None,
            "state_login": self.client is not None,
        }
        answer = self.look.plain("sign-in.html.jinja", language, content, status)
        cookies.keep(answer, _FORM, token, same_site="Strict")
        return answer

"""One's own account: password and authenticator, and where one is signed in. The one page of the first sign-in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import segno
from sqlalchemy import Connection
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from endpoints.console import accounts, cookies, passwords, sessions
from endpoints.console.accounts import Refusal, Secret, Typed
from endpoints.console.roles import EVERYBODY
from endpoints.console.typed import Notice
from endpoints.console.visit import Page, Shown, Visit
from errors import NotFound
from exchange import Environment, Json, utc_now
from security.masters import MasterKeys
from storage import reading

# Modules that stay empty around a code, so that it is found (ISO/IEC 18004).
_QUIET = 4

_DONE = {
    "password": "Your password is changed. All other sessions of yours have ended.",
    "sessions": "All other sessions of yours have ended.",
}
_REFUSED = "The present password or the code is not right, or the account is locked for now."
_DIFFERENT = "The new password is not twice the same."
_THE_SAME = "The new password is the present one."


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code: modules on each side with the empty ones around, and the dark ones as a path of SVG."""

    size: int
    path: str


def show(visit: Visit) -> Shown | Response:
    """What one may change, and where one is signed in."""
    if visit.method == "POST":
        return _sign_out_others(visit) if visit.form.get("do") == "sessions" else _change_password(visit)
    done = _DONE.get(visit.query.get("done", ""))
    return _shown(visit, Notice(visit.say(done)) if done else None)


def _change_password(visit: Visit) -> Shown | Response:
    """By the present password and a code, under the lock and the count of the sign-in."""
    hashing = visit.passwords
    if hashing is None or visit.user.by_state_login:
        raise NotFound("account of the gateway")
    name, new = visit.user.name, visit.form.get("new", "")
    typed = Typed(name, visit.form.get("password", ""), visit.form.get("code", ""))
    wrong = passwords.weakness(new, name)
    if wrong is not None:
        return _bad(visit, wrong)
    if new != visit.form.get("again", ""):
        return _bad(visit, _DIFFERENT)
    if new == typed.password:
        return _bad(visit, _THE_SAME)
    now, log = utc_now(), visit.gateway.log
    seen = accounts.see(visit.gateway.engine, _keys(visit), hashing, typed, now)
    # Before the transaction: argon2 must not hold a lock.
    hashed = hashing.hashed(new) if seen.right and seen.step is not None else ""

    def work(connection: Connection) -> str | Refusal:
        verdict = accounts.change_password(connection, seen, hashed, now)
        if verdict.refusal is not None:
            facts: dict[str, Json] = {"reason": verdict.refusal.value}
            log.append(connection, visit.entry("user password refused", facts))
            if verdict.locks:
                log.append(connection, visit.entry("sign in locked", {}))
            return verdict.refusal
        log.append(connection, visit.entry("user password", {"first": visit.user.confined}))
        return sessions.begin(connection, name, visit.user.role, now, address=visit.peer)

    outcome = log.commit(work)
    if isinstance(outcome, Refusal):
        return _bad(visit, _REFUSED, 403)
    answer = redirect("/console/" if visit.user.confined else "/console/account?done=password", 303)
    cookies.keep(answer, cookies.SESSION, outcome)
    return answer


def _sign_out_others(visit: Visit) -> Response:
    """End all sessions of one's own but this one."""

    def work(connection: Connection) -> None:
        ended = sessions.end_all_of(connection, visit.user.name, but=visit.user.session)
        visit.gateway.log.append(connection, visit.entry("user sign-out others", {"sessions": ended}))

    visit.gateway.log.commit(work)
    return redirect("/console/account?done=sessions", 303)


def _bad(visit: Visit, text: str, status: int = 400) -> Shown:
    return _shown(visit, Notice(visit.say(text), "bad"), status)


def _shown(visit: Visit, notice: Notice | None, status: int = 200) -> Shown:
    with reading(visit.gateway.engine).begin() as connection:
        held = sessions.lasting(connection, utc_now(), visit.user.name)
        secret = _secret(visit, connection) if visit.user.confined else None
    content: dict[str, Any] = {
        "notice": notice,
        "held": held,
        "secret": secret,
        "code": None if secret is None else code(secret.uri),
        "own_password": visit.passwords is not None and not visit.user.by_state_login,
    }
    return Shown("account.html.jinja", content, status)


def _secret(visit: Visit, connection: Connection) -> Secret | None:
    production = visit.gateway.settings.environment is Environment.PRODUCTION
    issuer = "SPOLIS" if production else "SPOLIS test"
    return accounts.secret(connection, _keys(visit), visit.user.name, issuer)


def _keys(visit: Visit) -> MasterKeys:
    return MasterKeys(visit.gateway.settings.keys)


def code(text: str) -> Code:
    """A text as a QR code."""
    matrix = segno.make(text, error="m", micro=False).matrix
    dark = (
        f"M{x} {y}h1v1h-1z"
        for y, row in enumerate(matrix, start=_QUIET)
        for x, module in enumerate(row, start=_QUIET)
        if module
    )
    return Code(len(matrix) + 2 * _QUIET, "".join(dark))


PAGES = (
    Page(
        path="account",
        roles=EVERYBODY,
        show=show,
        title="Your account",
        group="You",
        rank=10,
        methods=("GET", "POST"),
        confined=True,
    ),
)

"""The console, for auditors, the data-protection officer, operators and administrators: /console.

It asks the questions that the commands ask (`questions/`, `audit/`, `routing/`): there is no second way. A page is a
module of `pages/`, discovered, never listed. Every page is whole without JavaScript. ADR 0035.
"""

from __future__ import annotations

import hmac
import logging
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask, Response, redirect, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

import errors
from endpoints import refusals
from endpoints.arrivals import Limiter
from endpoints.console import cookies, pages, sessions, sign_in
from endpoints.console.look import Look, address, warm
from endpoints.console.passwords import Passwords
from endpoints.console.visit import Page, Shown, SignedIn, Visit
from endpoints.readiness import Readiness
from exchange import utc_now
from gateway import Gateway
from questions.words import Language
from storage import reading

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

diagnostics = logging.getLogger("gateway.endpoints")

__all__ = ["ROOT", "application", "language", "warm"]

ROOT = "/console"
_LANGUAGE = "language"
_NOT_OURS = (
    "The form is not of this session, so nothing was changed. Open the page again and send it from there."
)
_MOST_FORM_BYTES = 64 * 1024
# A page does not wait longer for what hangs; it says that there was no answer yet.
_CHECK_SECONDS = 0.15
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def application(gateway: Gateway, passwords: Passwords | None = None) -> WSGIApplication:
    """The Flask application under /console; without `passwords` it hashes as passwords are hashed."""
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    app.config["MAX_FORM_MEMORY_SIZE"] = app.config["MAX_CONTENT_LENGTH"] = _MOST_FORM_BYTES
    found = pages.discover()
    look = Look(gateway.settings.environment, found)
    limiter = Limiter(gateway.settings.limits.requests_per_s)
    hashing = (passwords or Passwords()) if gateway.settings.console.local else None
    readiness = Readiness(gateway, seconds=_CHECK_SECONDS)

    def visit_of(user: SignedIn) -> Visit:
        return Visit(
            gateway=gateway,
            user=user,
            language=language(),
            path=request.path,
            query=request.args.to_dict(),
            form=request.form.to_dict(),
            method=request.method,
            readiness=readiness,
            peer=str(request.remote_addr or ""),
            passwords=hashing,
        )

    def shown(page: Page, **arguments: str) -> AnyResponse:
        user = _signed_in(gateway)
        if user is None:
            return sign_in.asked(request, ROOT)
        if user.confined and not page.confined:
            return sign_in.led(request, f"{ROOT}/account")
        if user.role not in page.roles:
            return look.refused(
                user, language(), request.path, errors.AccessDenied("not a page of this role")
            )
        if request.method == "POST" and not _is_of_session(user):
            forged = errors.AccessDenied("the form is not of this session")
            return look.refused(user, language(), request.path, forged, _NOT_OURS)
        visit = visit_of(user)
        try:
            what = page.show(visit, **arguments)
        except errors.GatewayError as error:
            return look.refused(user, visit.language, request.path, error)
        return look.page(visit, page, what) if isinstance(what, Shown) else what

    def unforeseen(error: Exception) -> AnyResponse:
        # The text of an error could repeat what was typed.
        status = error.code if isinstance(error, HTTPException) and error.code else 500
        if status >= 500:
            diagnostics.error("console: unforeseen %s", type(error).__name__)
        return look.bare(language(), status)

    for page in found:
        app.add_url_rule(
            f"{ROOT}/{page.path}" if page.path else f"{ROOT}/",
            f"page:{page.path}:{','.join(page.methods)}",
            partial(shown, page),
            methods=page.methods,
        )
    app.add_url_rule(ROOT, "root", lambda: redirect(f"{ROOT}/", 308), methods=("GET",))
    app.add_url_rule(f"{ROOT}/static/<name>", "static", look.static, methods=("GET",))
    sign_in.add(app, gateway, look, ROOT, language, hashing)

    @app.before_request
    def _limit() -> AnyResponse | None:
        try:
            limiter.check(str(request.remote_addr))
        except errors.Busy as error:
            refusals.count(error.code)
            return look.bare(language(), 429)
        chosen = request.args.get("lang", "")
        if request.method == "GET" and chosen in list(Language):
            kept = {name: value for name, value in request.args.items() if name != "lang"}
            answer = redirect(address(request.path, kept), 303)
            answer.set_cookie(
                _LANGUAGE,
                chosen,
                max_age=365 * 24 * 3600,
                path=ROOT,
                httponly=True,
                samesite="Lax",
                secure=request.is_secure,
            )
            return answer
        return None

    @app.after_request
    def _headers(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    app.register_error_handler(Exception, unforeseen)
    return app.wsgi_app


def language() -> Language:
    """Of the cookie, else Latvian."""
    said = request.cookies.get(_LANGUAGE, "")
    return Language(said) if said in list(Language) else Language.LATVIAN


def _signed_in(gateway: Gateway) -> SignedIn | None:
    token = cookies.held(cookies.SESSION)
    if not token:
        return None
    now, peer = utc_now(), str(request.remote_addr or "")
    with reading(gateway.engine).begin() as connection:
        user = sessions.find(connection, token, now)
    # What a page asks by itself is no sign of somebody there.
    if user is not None and sessions.is_news(user, peer, now) and not sign_in.by_itself(request):
        with gateway.engine.begin() as connection:
            sessions.note(connection, token, peer, now)
    return user


def _is_of_session(user: SignedIn) -> bool:
    """Whether a form is of a page that this session was shown."""
    said = request.form.get("csrf", "") or request.headers.get("X-CSRF", "")
    return hmac.compare_digest(said.encode(), user.csrf.encode())

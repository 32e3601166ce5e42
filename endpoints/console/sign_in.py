"""Signing in and out: who is nobody yet is asked."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, redirect
from flask import request as asking
from werkzeug.wrappers import Request, Response

from endpoints.console import sessions
from endpoints.console.look import Look
from gateway import Gateway
from questions.words import Language


def cookie_name(request: Request) -> str:
    """Over TLS a name that no other host can set a cookie of."""
    return "__Host-console" if request.is_secure else "console"


def asked(request: Request, root: str) -> Response:
    """To the page that asks who one is; afterwards one comes back to where one wanted to go."""
    return redirect(f"{root}/sign-in", 303)


def add(app: Flask, gateway: Gateway, look: Look, root: str, language: Callable[[], Language]) -> None:
    """The pages of signing in."""

    def out() -> Response:
        token = asking.cookies.get(cookie_name(asking), "")
        if token:
            with gateway.engine.begin() as connection:
                sessions.end(connection, token)
        answer = redirect(f"{root}/sign-in", 303)
        answer.delete_cookie(cookie_name(asking), path="/")
        return answer

    app.add_url_rule(f"{root}/sign-out", "sign-out", out, methods=("POST",))

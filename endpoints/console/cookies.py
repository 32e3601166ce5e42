"""Cookies of the console: no script reads them, and over TLS no other host can set one of their names."""

from __future__ import annotations

from flask import request as asking
from werkzeug.wrappers import Response

# What a session is found by.
SESSION = "console"


def held(what: str) -> str:
    """What the browser holds under a name; "" for nothing."""
    return asking.cookies.get(_name(what), "")


def keep(answer: Response, what: str, value: str, same_site: str = "Lax", seconds: int | None = None) -> None:
    """Have the browser hold a value, for so many seconds or until it is closed."""
    answer.set_cookie(
        _name(what),
        value,
        max_age=seconds,
        path="/",
        secure=asking.is_secure,
        httponly=True,
        samesite=same_site,
    )


def forget(answer: Response, what: str) -> None:
    """Have the browser hold it no longer."""
    # A browser takes nothing of a name with __Host- without Secure, not even its end.
    answer.delete_cookie(_name(what), path="/", secure=asking.is_secure, httponly=True, samesite="Lax")


def _name(what: str) -> str:
    return f"__Host-{what}" if asking.is_secure else what

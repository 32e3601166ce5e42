"""A browser that is signed in at the console."""

from __future__ import annotations

import re

from werkzeug.test import Client

from endpoints import console
from endpoints.console import sessions
from endpoints.console.roles import Role
from exchange import utc_now
from gateway import Gateway

_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


def signed_in(gateway: Gateway, role: Role) -> Client:
    """A browser with a session of its own, under the name of its role."""
    with gateway.engine.begin() as connection:
        token = sessions.begin(connection, f"{role.value}-person", role, utc_now())
    client = Client(console.application(gateway))
    client.set_cookie("console", token, path="/")
    return client


def csrf_of(text: str) -> str:
    """The token that the forms of a page have."""
    found = _CSRF.search(text)
    assert found is not None
    return found[1]

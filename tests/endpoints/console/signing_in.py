"""A browser that is signed in at the console."""

from __future__ import annotations

import re

from werkzeug.test import Client

from endpoints import console
from endpoints.console import sessions
from endpoints.console.roles import Role
from exchange import utc_now
from gateway import Gateway


def signed_in(gateway: Gateway, role: Role) -> Client:
    """A client with a session of a role; the account is named after it."""
    with gateway.engine.begin() as connection:
        token = sessions.begin(connection, role.value, role, utc_now())
    client = Client(console.application(gateway))
    client.set_cookie("console", token, path="/")
    return client


def csrf_of(text: str) -> str:
    """The hidden field that a form of a page holds."""
    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found is not None
    return found[1]

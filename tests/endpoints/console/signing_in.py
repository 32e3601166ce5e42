"""A browser in which somebody is signed in at the console."""

from __future__ import annotations

import re

from werkzeug.test import Client

from endpoints import console
from endpoints.console import sessions
from endpoints.console.roles import Role
from exchange import utc_now
from gateway import Gateway


def signed_in(gateway: Gateway, role: Role) -> Client:
    """A client of the console with a session of that role; its name is that of the role with `-1`."""
    with gateway.engine.begin() as connection:
        token = sessions.begin(connection, f"{role.value}-1", role, utc_now())
    client = Client(console.application(gateway))
    client.set_cookie("console", token, path="/")
    return client


def csrf_of(text: str) -> str:
    """The token that forms of a page bear."""
    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found is not None
    return found[1]

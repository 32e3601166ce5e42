"""What the tests of pages that decide something have in common: forms, and who is answered."""

from __future__ import annotations

from werkzeug.test import Client

from endpoints.console.roles import Role
from gateway import Gateway
from tests.endpoints.console.signing_in import csrf_of, signed_in

SCRIPT = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;"


def token(client: Client, page: str) -> str:
    """The token of a signed-in browser, from a page that has a form."""
    return csrf_of(client.get(page).text)


def statuses(gateway: Gateway, page: str) -> dict[Role, int]:
    """What each role is answered on a page."""
    return {role: signed_in(gateway, role).get(page).status_code for role in Role}


def opened_by(*roles: Role) -> dict[Role, int]:
    """What `statuses` gives where these roles alone may look."""
    return {role: 200 if role in roles else 403 for role in Role}

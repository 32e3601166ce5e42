"""Sign-ins by the state login that are under way: each belongs to one browser, ends soon, and is used once.

The browser holds a random token, from which state, nonce and code verifier are derived; the row holds its digest.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, String, Table, delete, insert

from storage import Instant, metadata

LONGEST = timedelta(minutes=10)

flows = Table(
    "console_flows",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("began_at", Instant, nullable=False),
    Column("leads_to", String(1000), nullable=False),
    schema="console",
)


@dataclass(frozen=True, slots=True)
class Flow:
    """One sign-in under way; nothing of its token can be learned from what is derived of it."""

    token: str = field(repr=False)

    @property
    def state(self) -> str:
        """Goes to the issuer and comes back: the answer is to this browser's request."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """Stands in the identity token: it was made for this request."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """Goes to the issuer with the code: whoever has taken the code alone cannot use it (RFC 7636)."""
        return self._derived("verifier")

    def _derived(self, what: str) -> str:
        digest = hmac.digest(self.token.encode(), f"console sign-in {what}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def begin(connection: Connection, leads_to: str, now: datetime) -> Flow:
    """Begin one; its token goes into the browser's cookie."""
    flow = Flow(secrets.token_urlsafe(32))
    connection.execute(delete(flows).where(flows.c.began_at < now - LONGEST))
    connection.execute(insert(flows).values(digest=_digest(flow.token), began_at=now, leads_to=leads_to))
    return flow


def take(connection: Connection, token: str, now: datetime) -> str | None:
    """Use one up and say where it leads; None when it was used before, is too old or never began."""
    row = connection.execute(
        delete(flows)
        .where(flows.c.digest == _digest(token), flows.c.began_at > now - LONGEST)
        .returning(flows.c.leads_to)
    ).first()
    return None if row is None else str(row.leads_to)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

"""One set of keys for all tests of the room: making keys is the slow part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from security.keys import Identity, PrivateKey
from security.wsse import Policy
from tests.security import messages
from tests.security.messages import ADDRESSING, BODY, EVIL, NOW, Recipe


@dataclass(frozen=True)
class World:
    """An authority that is trusted, one that is not, and partners with keys of both kinds; valid around `now`.

    `body` and `addressing` are those of a right message; `evil` is the body that an attacker wants to be believed.
    """

    authority: Identity
    stranger: Identity
    rsa: Identity
    p256: Identity
    other: Identity
    policy: Policy
    now: datetime = NOW
    body: str = BODY
    evil: str = EVIL
    addressing: Mapping[str, str] = field(default_factory=lambda: dict(ADDRESSING))

    @property
    def recipe(self) -> Recipe:
        """A message that is right in everything."""
        return self.by(self.rsa)

    def by(self, identity: Identity) -> Recipe:
        """The same message, of somebody else."""
        return Recipe(
            identity,
            created=self.now,
            expires=self.now + timedelta(seconds=300),
            addressing=dict(self.addressing),
            body=self.body,
        )

    def partner(self, certificate: x509.Certificate) -> Recipe:
        """A message signed by the RSA partner's key, with another certificate of it."""
        return self.by(Identity(certificate, self.rsa.key))

    def certificate(self, key: PrivateKey, issuer: Identity | None, **changes: Any) -> x509.Certificate:
        """A certificate with one thing wrong, else valid around `now`; self-signed without an issuer."""
        month = timedelta(days=30)
        known: dict[str, Any] = {"start": self.now - month, "end": self.now + month}
        return messages.certificate(key, issuer, **(known | changes))


def new_world(now: datetime = NOW) -> World:
    """A world with new keys, around an instant."""
    dates: dict[str, Any] = {"start": now - timedelta(days=30), "end": now + timedelta(days=30)}
    authority_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    authority = Identity(
        messages.certificate(authority_key, None, ca=True, signs=False, subject="authority", **dates),
        authority_key,
    )
    # The same name as the authority that is trusted: only its key tells it apart.
    stranger_key = ec.generate_private_key(ec.SECP256R1())
    stranger = Identity(
        messages.certificate(stranger_key, None, ca=True, signs=False, subject="authority", **dates),
        stranger_key,
    )
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    p256_key, other_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    return World(
        authority=authority,
        stranger=stranger,
        rsa=Identity(messages.certificate(rsa_key, authority, **dates), rsa_key),
        p256=Identity(messages.certificate(p256_key, authority, subject="second", **dates), p256_key),
        other=Identity(messages.certificate(other_key, authority, subject="third", **dates), other_key),
        policy=Policy((authority.certificate,)),
        now=now,
    )


@pytest.fixture(scope="session")
def world() -> World:
    return new_world()


@pytest.fixture
def keys_directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"

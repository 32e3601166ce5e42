"""One set of keys for all tests of the room: making keys is the slow part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from security.keys import Identity
from security.wsse import Policy
from tests.security import messages
from tests.security.messages import Recipe


@dataclass(frozen=True)
class World:
    """An authority that is trusted, one that is not, and partners with keys of both kinds; valid around `NOW`."""

    authority: Identity
    stranger: Identity
    rsa: Identity
    p256: Identity
    other: Identity
    policy: Policy

    @property
    def recipe(self) -> Recipe:
        """A message that is right in everything."""
        return Recipe(self.rsa)

    def partner(self, certificate: x509.Certificate) -> Recipe:
        """A message signed by the RSA partner's key, with another certificate of it."""
        return Recipe(Identity(certificate, self.rsa.key))


@pytest.fixture(scope="session")
def world() -> World:
    authority_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    authority = Identity(
        messages.certificate(authority_key, None, ca=True, signs=False, subject="authority"), authority_key
    )
    # The same name as the authority that is trusted: only its key tells it apart.
    stranger_key = ec.generate_private_key(ec.SECP256R1())
    stranger = Identity(
        messages.certificate(stranger_key, None, ca=True, signs=False, subject="authority"), stranger_key
    )
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    p256_key, other_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    return World(
        authority=authority,
        stranger=stranger,
        rsa=Identity(messages.certificate(rsa_key, authority), rsa_key),
        p256=Identity(messages.certificate(p256_key, authority, subject="second"), p256_key),
        other=Identity(messages.certificate(other_key, authority, subject="third"), other_key),
        policy=Policy((authority.certificate,)),
    )


@pytest.fixture
def keys_directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"

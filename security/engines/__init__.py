"""Two engines for the cryptography of a signature, behind one interface.

An engine finds nothing and decides nothing: which element is which part is settled by `security.profile`, whose
certificate counts and what is accepted by `security.wsse`. `narrow` does what the profile asks and nothing else;
`signxml` is the library of that name. Both are asked the same questions in tests/security/test_engines.py and must be
of one mind.
Source: docs/adr/0016-two-signature-engines.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from cryptography import x509

from security.engines import library, narrow
from security.keys import PrivateKey
from security.profile import Parts, Signable
from security.xml import Element


class Engine(Protocol):
    """What the policy needs of an engine."""

    def verify(
        self, root: Element, parts: Parts, certificate: x509.Certificate, now: datetime
    ) -> tuple[bytes, ...]:
        """The canonical bytes that each reference covers, in their order, when signature and digests hold.

        Raises: SignatureInvalid.
        """

    def sign(self, signable: Signable, key: PrivateKey, method: str) -> bytes:
        """The message with the ds:Signature in its place.

        Shape: exclusive canonicalisation everywhere, SHA-256 digests; `method` is one of `profile.SIGNATURES` and fits
        the key; KeyInfo names the token by its id.
        """


# By the name that `[signature] engine` has for it.
ENGINES: Mapping[str, Engine] = MappingProxyType({"narrow": narrow, "signxml": library})

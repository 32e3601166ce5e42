"""Every attack of the table is refused, by the rule that it breaks; the message it was made from is not."""

from __future__ import annotations

import pytest

from errors import GatewayError, SignatureInvalid
from security import wsse
from tests.security import attacks, attacks_content, attacks_references, attacks_structure, attacks_trust
from tests.security.conftest import World
from tests.security.messages import NOW, SOAP11, SOAP12, Recipe, make

# Importing them enters their attacks.
ENTERED = (attacks_content, attacks_references, attacks_structure, attacks_trust)


def test_the_table_is_large() -> None:
    assert len(attacks.TABLE) > 150


@pytest.mark.parametrize("soap", [SOAP11, SOAP12])
@pytest.mark.parametrize("kind", ["rsa", "p256"])
def test_the_message_that_the_attacks_change_is_right(world: World, soap: str, kind: str) -> None:
    identity = world.rsa if kind == "rsa" else world.p256
    verified = wsse.verify(make(Recipe(identity, soap=soap)), world.policy, now=NOW)
    assert verified.certificate == identity.certificate


@pytest.mark.parametrize("name", attacks.TABLE)
def test_attack_is_refused(world: World, name: str) -> None:
    attack = attacks.TABLE[name]
    attempt = attack.attempt(world)
    with pytest.raises(attack.errors) as refused:
        wsse.verify(attempt.data, attempt.policy or world.policy, now=attempt.now)
    assert isinstance(refused.value, GatewayError)
    if isinstance(refused.value, SignatureInvalid) and not name.startswith(
        ("changed:", "certificate:", "XML:")
    ):
        # Refused for its structure, not because the cryptography happened to fail as well.
        assert refused.value.__cause__ is None
        assert refused.value.detail
    for value in ("A1", "12.50", "EVIL", "urn:uuid"):
        assert value not in refused.value.detail

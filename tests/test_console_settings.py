"""[console] in gateway.toml: what is taken, and what stops the start."""

from __future__ import annotations

from pathlib import Path

import pytest

import config
from endpoints.console.roles import Role
from errors import ConfigurationError

GOOD = """[console]
oidc_issuer = "https://login.example/realm"
oidc_client_id = "gateway"
oidc_secret_file = "oidc.secret"
address = "https://gateway.example"
[[console.oidc_roles]]
claim = "urn:x:auditor"
role = "auditor"
"""


def load(folder: Path, text: str) -> config.ConsoleSettings:
    (folder / "gateway.toml").write_text(text, encoding="utf-8")
    return config.load({"GATEWAY_CONFIG": str(folder)}).console


def test_local_accounts_and_no_issuer_without_settings() -> None:
    assert config.load({}).console == config.ConsoleSettings(local=True, state_login=None)


def test_a_state_login(tmp_path: Path) -> None:
    known = load(tmp_path, GOOD).state_login
    assert known is not None
    assert (known.issuer, known.client_id) == ("https://login.example/realm", "gateway")
    assert known.secret_file == tmp_path / "oidc.secret"
    assert known.roles == {"urn:x:auditor": "auditor"}
    assert (known.name_claim, known.role_claim, known.tls_trust) == ("serial_number", "roles", None)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("https://login", "http://login", "oidc_issuer begins with https"),
        ("/realm", "/realm/", "oidc_issuer"),
        ('"https://gateway.example"', '"http://gateway.example"', "address begins with https"),
        ('oidc_client_id = "gateway"', "", "oidc_client_id"),
        ('oidc_secret_file = "oidc.secret"', "", "oidc_secret_file"),
        ('role = "auditor"', 'role = "owner"', "role is"),
        ('claim = "urn:x:auditor"', 'claim = ""', "each claim"),
        ('claim = "urn:x:auditor"', "", "holds claim and role"),
        ("[console]", '[console]\noidc_secret = "x"', "unknown setting console.oidc_secret"),
        ("[console]", '[console]\nlocal = "no"', "type bool"),
    ],
)
def test_what_stops_the_start(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert before in GOOD
    with pytest.raises(ConfigurationError, match=said):
        load(tmp_path, GOOD.replace(before, after, 1))


def test_somebody_must_be_able_to_sign_in(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nobody could sign in"):
        load(tmp_path, "[console]\nlocal = false\n")


def test_a_claim_has_one_role(tmp_path: Path) -> None:
    twice = GOOD + '[[console.oidc_roles]]\nclaim = "urn:x:auditor"\nrole = "dpo"\n'
    with pytest.raises(ConfigurationError, match="each claim has one role"):
        load(tmp_path, twice)


def test_the_roles_are_those_of_the_console() -> None:
    assert set(config.CONSOLE_ROLES) == set(Role)

"""Production and test are two whole sets: neither believes the other's messages, authorities, keys or database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from errors import ConfigurationError
from exchange import Environment, utc_now
from routing.parties import add_caller
from security.keys import claim, issue, new_keys
from tests.attacks.live import (
    Answer,
    Sent,
    Site,
    configured,
    fresh,
    new_state,
    simulated,
)
from tests.endpoints.conftest import context
from tests.endpoints.serving import command, configure, serving
from tests.security.conftest import new_world
from tests.security.messages import make

pytestmark = pytest.mark.long

ENVIRONMENTS = ("production", "test")


@dataclass
class Two:
    """A site of each environment, and its core's key for /api/v1."""

    sites: dict[str, Site]
    keys: dict[str, str]

    def message(self, signed_in: str, of: str) -> bytes:
        """A right message of a partner of one environment, whose context names an environment."""
        site = self.sites[signed_in]
        return make(fresh(site.world, site.persons, Vide=of).recipe)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    with ExitStack() as end:
        made = Two({}, {})
        for name in ENVIRONMENTS:
            folder = tmp_path_factory.mktemp(name)
            world = new_world(utc_now().replace(microsecond=0))
            engine = new_state(folder, world)
            end.callback(engine.dispose)
            with engine.begin() as connection:
                made.keys[name] = add_caller(connection, "core", "spolis-core", utc_now())
            pmlp, persons = end.enter_context(simulated(folder))
            config = configured(folder, world, pmlp, gateway={"environment": name})
            served = end.enter_context(serving(config, "--embedded", "--threads", "4"))
            made.sites[name] = Site(folder, served, world, persons, engine)
        yield made


def refused(site: Site, content: bytes, code: str) -> Answer:
    """Send a message that must be refused and reach nobody."""
    reached, attempts = site.reached(), site.attempts()
    answer = site.send(Sent(content))
    assert (answer.code, site.reached(), site.attempts()) == (code, reached, attempts)
    assert site.records(answer.exchange_id)[-1]["code"] == code
    return answer


@pytest.mark.parametrize("name", ["test"])
def test_a_message_of_its_own_is_answered(two: Two, name: str) -> None:
    assert two.sites[name].send(Sent(two.message(name, name))).status == 200


@pytest.mark.parametrize(("name", "other"), [ENVIRONMENTS, ENVIRONMENTS[::-1]])
class TestMessages:
    """A message that names the other environment, or comes from it."""

    def test_of_the_other_environment_by_its_context(self, two: Two, name: str, other: str) -> None:
        refused(two.sites[name], two.message(name, other), "wrong_environment")

    def test_of_the_other_environment_by_everything(self, two: Two, name: str, other: str) -> None:
        refused(two.sites[name], two.message(other, other), "untrusted_certificate")

    def test_of_the_other_environment_by_its_signature(self, two: Two, name: str, other: str) -> None:
        refused(two.sites[name], two.message(other, name), "untrusted_certificate")

    def test_over_the_api(self, two: Two, name: str, other: str) -> None:
        site = two.sites[name]
        reached = site.reached()
        for environment, code in ((other, "wrong_environment"), (name, None)):
            answer = requests.post(
                f"{site.served.internal}/api/v1/pmlp/get-person",
                json={
                    "context": context(environment=environment),
                    "arguments": {"person_code": site.persons[2]},
                },
                headers={"Authorization": f"Bearer {two.keys[name]}"},
                timeout=30,
            )
            if code is not None:
                assert (answer.status_code, answer.json()["code"], site.reached()) == (400, code, reached)
                assert site.records(answer.headers["X-Exchange-Id"])[-1]["code"] == code
        # Its own key is not known there.
        answer = requests.post(
            f"{site.served.internal}/api/v1/pmlp/get-person",
            json={"context": context(environment=name), "arguments": {"person_code": site.persons[2]}},
            headers={"Authorization": f"Bearer {two.keys[other]}"},
            timeout=30,
        )
        assert answer.status_code == 401


def test_the_test_authority_is_believed_in_test_only(two: Two) -> None:
    """Each has one of its own in its keys; a partner that is registered with such a certificate stays unbelieved."""
    for name, code in (("test", None), ("production", "untrusted_certificate")):
        site = two.sites[name]
        identity = issue(site.keys, "tester")
        site.register("tester", identity.certificate)
        world = fresh(site.world, site.persons, Vide=name)
        content = make(world.by(identity))
        if code is None:
            assert site.send(Sent(content)).status == 200
        else:
            refused(site, content, code)


def test_a_test_authority_in_the_trust_list_of_production_stops_it(two: Two) -> None:
    site = two.sites["production"]
    file = site.folder / "config" / "trust" / "copied.pem"
    file.write_bytes((two.sites["test"].keys / "authority.pem").read_bytes())
    try:
        answer = site.send(Sent(two.message("production", "production")))
    finally:
        file.unlink()
    assert answer.code == "configuration_error"
    assert b"copied" not in answer.content


# What is started with the other's things.


def _production(folder: Path) -> Path:
    return configure(folder, gateway={"environment": "production"})


def _of_test(folder: Path) -> Path:
    state = folder / "state" / "keys"
    new_keys(state, ["pmlp", "vdeavk", "sais", "npais", "vzd"])
    claim(state, Environment.TEST)
    return state


@pytest.mark.parametrize("work", ["serve", "work"])
def test_production_does_not_start_with_the_keys_of_test(tmp_path: Path, work: str) -> None:
    _of_test(tmp_path)
    assert _refusal(_production(tmp_path), work).endswith("the keys of another environment: test)")


@pytest.mark.parametrize("work", ["serve", "work"])
def test_production_does_not_start_with_the_database_of_test(two: Two, tmp_path: Path, work: str) -> None:
    """With keys that are its own, and with the very keys of the database."""
    database: dict[str, object] = {"url": f"sqlite:///{two.sites['test'].folder / 'state' / 'gateway.db'}"}
    new_keys(tmp_path / "state" / "keys", ["pmlp", "vdeavk", "sais", "npais", "vzd"])
    config = configure(tmp_path, gateway={"environment": "production"}, database=database)
    assert "belongs to another environment or key" in _refusal(config, work)
    for file in two.sites["test"].keys.glob("[!.]*"):
        if file.name != "environment":
            (tmp_path / "state" / "keys" / file.name).write_bytes(file.read_bytes())
    assert "belongs to another environment or key" in _refusal(config, work)


def test_test_does_not_start_with_the_state_of_production(two: Two, tmp_path: Path) -> None:
    state = two.sites["production"].folder / "state"
    config = configure(tmp_path, state={"directory": str(state)})
    assert _refusal(config, "serve").endswith("the keys of another environment: production)")
    assert _refusal(config, "keys", "new").endswith("the keys of another environment: production)")


def test_a_mark_that_is_none_is_refused(tmp_path: Path) -> None:
    claim(tmp_path / "keys", Environment.PRODUCTION)
    claim(tmp_path / "keys", Environment.PRODUCTION)
    (tmp_path / "keys" / "environment").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="another environment"):
        claim(tmp_path / "keys", Environment.PRODUCTION)


def _refusal(config: Path, *arguments: str) -> str:
    """The one line that a command says when it does not start."""
    process = command(config, *arguments)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (78, b""), err
    lines = err.decode().strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]

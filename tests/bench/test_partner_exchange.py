"""The benchmark runs: every answer is right, and its figures have the shape that others read. No speed is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from bench.partner_exchange import envelopes, messages
from bench.partner_exchange.load import signed
from security import wsse
from security.keys import Identity, issue, new_keys

ROOT = Path(__file__).parents[2]
FIGURES = ("requests", "per_second", "p50_ms", "p95_ms", "p99_ms", "cpu_ms", "records_each")


def test_short_run_has_right_answers_and_all_figures(tmp_path: Path) -> None:
    results = tmp_path / "latest.json"
    options = ("--rounds", "1", "--seconds", "1", "--concurrency", "2", "--json")
    ran = subprocess.run(  # noqa: S603 — our own interpreter and program
        [sys.executable, "-m", "bench.partner_exchange", *options, "--results", str(results)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode in (0, 1), ran.stderr  # 1 also where this machine was not quick enough
    assert results.exists(), ran.stderr
    said = json.loads(results.read_text("utf-8"))
    assert said == json.loads(ran.stdout)
    assert ran.stderr == ""  # no progress bar where nobody looks
    assert said["wrong"] == {"gateway": {}, "library": {}, "floor": {}}
    assert said["ratio_to_library"] > 0
    assert said["ratio_to_floor"] > 0
    assert (said["rounds"], said["commits"], said["cores"], len(said["legs"])) == (1, 3, 1, 4)
    for name in ("gateway", "library", "floor"):
        assert set(FIGURES) <= said[name].keys()
        assert said[name]["requests"] > 0
        assert said[name]["records_each"] == pytest.approx(
            3, abs=0.5
        )  # the gateway's log begins with a record


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "keys"
    new_keys(folder, [])
    issue(folder, "partner")
    return folder


def _authority(keys: Path) -> x509.Certificate:
    return envelopes.load_certificate(keys, "authority")


def test_what_the_load_sends_is_what_the_gateway_believes(keys: Path) -> None:
    (ask,) = signed(keys, 1)
    policy = wsse.Policy(authorities=(_authority(keys),))
    verified = wsse.verify(ask.content, policy, now=datetime.now(UTC))
    assert verified.message_id == ask.message_id
    assert verified.body[0].findtext(f"{{{messages.PERSONS}}}PersonasKods") == ask.code


def test_what_the_gateway_signs_is_believed_by_the_load(keys: Path) -> None:
    (ask,) = signed(keys, 1)
    identity = Identity.load(keys / "gateway.pem", keys / "gateway.key")
    bare = envelopes.parse(ask.content)
    header = bare[0]
    header.remove(header[-1])
    again = wsse.sign(bare, identity, now=datetime.now(UTC))
    assert envelopes.verify(again, _authority(keys)).addressing["MessageID"] == ask.message_id


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"social-service", b"social-assistance"),
        (b"GetPerson</wsa:Action>", b"GetPersons</wsa:Action>"),
        (b'URI="#Body"', b'URI="#Token"'),
    ],
)
def test_a_changed_message_is_refused_by_the_yardsticks_too(keys: Path, before: bytes, after: bytes) -> None:
    (ask,) = signed(keys, 1)
    assert before in ask.content
    with pytest.raises(envelopes.Refused):
        envelopes.verify(ask.content.replace(before, after), _authority(keys))


def test_a_stale_message_is_refused_by_the_yardsticks_too(keys: Path) -> None:
    (ask,) = signed(keys, 1)
    bare = envelopes.parse(ask.content)
    bare[0].remove(bare[0][-1])
    identity = Identity.load(keys / "partner.pem", keys / "partner.key")
    old = wsse.sign(bare, identity, now=datetime.now(UTC) - timedelta(minutes=10))
    with pytest.raises(envelopes.Refused, match="stale"):
        envelopes.verify(old, _authority(keys))

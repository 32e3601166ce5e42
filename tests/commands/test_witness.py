"""`gateway witness` as its operator runs it, and `gateway audit verify` and `recover` of the log that it follows."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from audit import asking, checkpoint, notes, submission, witnessed
from audit.notes import VerifierKey
from audit.origin import load_public_key
from audit.witness_client import WitnessClient
from commands.opening import open_database
from tests.commands.conftest import Home
from tests.commands.processes import GATEWAY


class Running:
    """A witness of its own process, which may be killed and started again on the same state."""

    def __init__(self, home: Home, folder: Path) -> None:
        self._home = home
        self.state = folder / "state.json"
        self.start()

    def start(self, *arguments: str) -> None:
        command = [*GATEWAY, "witness", "--listen", "127.0.0.1:0", "--state", str(self.state), "--json"]
        self.process = subprocess.Popen(  # noqa: S603 — our own interpreter and program
            [*command, *arguments], stdout=subprocess.PIPE, env={**os.environ, **self._home.environ}
        )
        assert self.process.stdout is not None
        self.said: dict[str, Any] = json.loads(self.process.stdout.readline())

    def kill(self) -> None:
        """With its worker, by nobody's leave."""
        os.kill(int(self.said["pid"]), signal.SIGKILL)
        self.process.wait(20)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, made_keys: Path) -> Iterator[tuple[Home, Running]]:
    """An installation with some records, and its witness elsewhere."""
    folder = tmp_path_factory.mktemp("installed")
    home = Home(folder)
    home.configure({})
    (folder / "state").mkdir()
    (folder / "state" / "keys").symlink_to(made_keys)
    open_database(home.settings).dispose()
    home.run("audit", "search")
    witness = Running(home, tmp_path_factory.mktemp("elsewhere"))
    yield home, witness
    if witness.process.poll() is None:
        witness.stop()


def followed(home: Home, witness: Running) -> None:
    """The installation with the witness in its settings, and its newest checkpoint cosigned."""
    said = witness.said
    text = (home.folder / "gateway.toml").read_text().partition("[log]")[0]
    (home.folder / "gateway.toml").write_text(
        f'{text}[log]\nwitness_url = "{said["url"]}"\nwitness_key = "{said["vkey"]}"\n'
    )
    cosign(home)


def cosign(home: Home) -> None:
    settings = home.settings
    chosen = witnessed.chosen(settings)
    assert chosen is not None
    engine = open_database(settings)
    submission.submit(engine, chosen.key, WitnessClient(settings.log.witness_url).add_checkpoint)
    engine.dispose()


def verified(home: Home, *arguments: str) -> tuple[int, dict[str, Any]]:
    result = home.run("audit", "verify", "--json", *arguments)
    return result.exit_code, json.loads(result.stdout)


def test_the_ready_line_and_what_lies_on_the_disk(running: tuple[Home, Running]) -> None:
    _, witness = running
    assert witness.said.keys() == {"ready", "url", "vkey", "pid"}
    assert notes.parse_key(witness.said["vkey"]).kind == notes.COSIGNATURE
    private = witness.state.with_name("state.json.key")
    assert private.stat().st_mode & 0o777 == 0o600
    assert witness.state.stat().st_mode & 0o777 == 0o600
    assert requests.get(f"{witness.said['url']}/vkey", timeout=10).text == f"{witness.said['vkey']}\n"


def test_the_protocol_on_its_socket(running: tuple[Home, Running]) -> None:
    """By what a client of C2SP tlog-witness does: status, content type, and the monitoring address."""
    home, witness = running
    followed(home, witness)
    url = witness.said["url"]
    listed = requests.get(f"{url}/checkpoints", timeout=10).json()
    assert listed["key"] == witness.said["vkey"]
    (note,) = listed["checkpoints"]
    tree = checkpoint.read(notes.parse(note))
    known = notes.parse(note)
    assert known.signed_by([notes.parse_key(witness.said["vkey"])])
    one = requests.get(f"{url}/checkpoint", params={"origin": tree.origin}, timeout=10)
    assert one.text == note
    hashed = hashlib.sha256(tree.origin.encode()).hexdigest()
    assert requests.get(f"{url}/{hashed}/checkpoint", timeout=10).text == note
    assert requests.get(f"{url}/{hashed[::-1]}/checkpoint", timeout=10).status_code == 404
    log_only = f"{known.text}\n{known.signatures[0].line()}"
    stale = requests.post(f"{url}/add-checkpoint", data=f"old 0\n\n{log_only}".encode(), timeout=10)
    assert (stale.status_code, stale.headers["Content-Type"]) == (409, "text/x.tlog.size")
    assert stale.text == f"{tree.size}\n"
    again = requests.post(f"{url}/add-checkpoint", data=f"old {tree.size}\n\n{log_only}".encode(), timeout=10)
    assert again.status_code == 200
    assert again.text.startswith("— ")
    assert requests.post(f"{url}/add-checkpoint", data=b"x", timeout=10).status_code == 400
    chunks = iter([f"old {tree.size}\n\n".encode(), log_only.encode()])
    assert requests.post(f"{url}/add-checkpoint", data=chunks, timeout=10).status_code == 200
    assert requests.post(f"{url}/add-checkpoint", data=b"o" * 200_000, timeout=10).status_code == 413
    assert requests.get(f"{url}/add-checkpoint", timeout=10).status_code == 405


def test_slow_peers_do_not_stop_it(running: tuple[Home, Running]) -> None:
    """More half-sent requests than it has threads; none of them is waited for by who comes after."""
    _, witness = running
    address = urlsplit(witness.said["url"])
    half = b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nold"
    peers = [socket.create_connection((str(address.hostname), int(address.port or 0))) for _ in range(40)]
    for number, peer in enumerate(peers):
        peer.sendall(half[: len(half) if number % 2 else 20])
    try:
        assert requests.get(f"{witness.said['url']}/vkey", timeout=30).status_code == 200
    finally:
        for peer in peers:
            peer.close()


def test_verify_asks_it(running: tuple[Home, Running], tmp_path: Path) -> None:
    home, witness = running
    followed(home, witness)
    code, found = verified(home)
    assert (code, found["status"], found["witness"]["asked"]) == (0, "anchored", True)
    assert found["anchored_size"] == found["size"]
    assert (home.run("audit", "verify").exit_code, verified(home, "--offline")[0]) == (0, 0)
    kept = tmp_path / "kept"
    engine = open_database(home.settings)
    outside = asking.ask(home.settings, engine, load_public_key(home.settings.keys / "log.pub"))
    engine.dispose()
    (held,) = outside.held
    kept.write_text(held.tree.note())
    assert notes.parse(kept.read_text()).signed_by([notes.parse_key(witness.said["vkey"])])
    code, found = verified(home, "--offline", "--checkpoint", str(kept))
    assert code == 0
    kept.write_text("nothing\n")
    assert home.run("audit", "verify", "--checkpoint", str(kept)).exit_code == 2


def test_killed_and_started_again_it_has_not_forgotten(running: tuple[Home, Running]) -> None:
    home, witness = running
    followed(home, witness)
    vkey, before = witness.said["vkey"], verified(home)[1]["size"]
    witness.kill()
    assert verified(home)[1]["witness"]["asked"] is False
    witness.start()
    assert witness.said["vkey"] == vkey
    home.run("audit", "search")
    followed(home, witness)
    code, found = verified(home)
    assert (code, found["anchored_size"] > before) == (0, True)


def test_an_old_file_put_back_is_bad_until_it_is_recovered(
    running: tuple[Home, Running], tmp_path: Path
) -> None:
    """Nobody says that it was restored, and no checkpoint was kept: the witness knows, and `recover` asks it."""
    home, witness = running
    followed(home, witness)
    database = home.settings.state / "gateway.db"
    old = tmp_path / "old.db"
    with sqlite3.connect(database) as source, sqlite3.connect(old) as target:
        source.backup(target)
    size = verified(home)[1]["size"]
    home.run("audit", "search")
    home.run("audit", "search")
    cosign(home)
    seen = verified(home)[1]["size"]
    for path in database.parent.glob("gateway.db*"):
        path.unlink()
    shutil.copyfile(old, database)
    code, found = verified(home)
    assert (code, found["status"], found["first_bad"], found["last_good_checkpoint"]) == (
        1,
        "bad",
        size,
        size,
    )
    assert verified(home, "--offline")[0] == 0, "by its rows alone it is whole"
    told = home.run("recover", "--json")
    assert told.exit_code == 3, told.output
    recovered = json.loads(told.stdout)
    assert (recovered["restored"], recovered["gap"]["records"]) == (True, seen - size)
    code, found = verified(home)
    assert (code, found["status"]) == (0, "anchored")
    assert f"restored at {size}, where the witness had seen {seen}" in found["reason"]
    cosign(home)
    assert verified(home)[1]["anchored_size"] == verified(home)[1]["size"]


def test_key_and_state_go_together(running: tuple[Home, Running], tmp_path: Path) -> None:
    home, witness = running
    (tmp_path / "state.json.key").write_bytes(witness.state.with_name("state.json.key").read_bytes())
    result = home.run("witness", "--listen", "127.0.0.1:0", "--state", str(tmp_path / "state.json"))
    assert result.exit_code == 78
    assert "is missing while" in result.stderr
    other = home.run(
        "witness", "--listen", "127.0.0.1:0", "--state", str(witness.state), "--name", "another.example"
    )
    assert other.exit_code == 78
    vkey = str(VerifierKey("log.example", notes.COSIGNATURE, notes.parse_key(witness.said["vkey"]).key))
    for arguments in (["--listen", "nowhere"], ["--listen", "127.0.0.1:0", "--log", vkey]):
        wrong = home.run("witness", "--state", str(tmp_path / "new.json"), *arguments)
        assert wrong.exit_code == 78, arguments
    assert not (tmp_path / "new.json").exists()


def test_it_ends_when_told(running: tuple[Home, Running]) -> None:
    _, witness = running
    assert witness.stop() == 0

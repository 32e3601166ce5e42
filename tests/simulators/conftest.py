"""Running simulators in threads of the test process, on real sockets of their own."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from security.keys import Identity, new_keys
from simulators.server import APPLICATIONS, SimulatorServer, Task, path_of, serve
from tests.simulators.calls import Client, caller

PERSONS = 200
SEED = 3


@dataclass(frozen=True)
class Journal:
    """The journal of the running simulators."""

    path: Path

    def lines(self) -> list[dict[str, str | None]]:
        """All lines, oldest first."""
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of keys for the gateway and every system."""
    directory = tmp_path_factory.mktemp("keys")
    new_keys(directory, APPLICATIONS)
    return directory


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """An empty journal."""
    path = tmp_path / "journal.jsonl"
    path.touch()
    return Journal(path)


@pytest.fixture
def start(keys: Path, journal: Journal) -> Iterator[Callable[[str], Client]]:
    """Start a simulator and get a client for it."""
    servers: list[SimulatorServer] = []
    clients: list[Client] = []

    def started(system: str) -> Client:
        listening = socket.create_server(("127.0.0.1", 0))
        task = Task(system, listening.detach(), PERSONS, SEED, str(journal.path), str(keys))
        server = serve(task)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.socket.getsockname()[1]}{path_of(system)}"
        identity = Identity.load(keys / "gateway.pem", keys / "gateway.key")
        authority = Identity.load(keys / "authority.pem", keys / "authority.key").certificate
        clients.append(caller(system, url, identity, authority))
        return clients[-1]

    yield started
    for client in clients:
        client.session.close()
    for server in servers:
        server.shutdown()
        server.server_close()

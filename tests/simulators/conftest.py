"""Running simulators in threads of the test process, on real sockets of their own."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from security import wsse
from security.certificates import load_authorities
from security.keys import Identity, new_keys
from simulators.control import Setting
from simulators.server import APPLICATIONS, SimulatorServer, Task, path_of, serve
from tests.simulators.calls import Client

PERSONS = 200
SEED = 3


@dataclass(frozen=True)
class Journal:
    """What the running simulators have written since the test began; `begin` is where that is in the file."""

    path: Path
    begin: int

    def lines(self) -> list[dict[str, str | None]]:
        """All lines, oldest first."""
        text = self.path.read_bytes()[self.begin :].decode()
        return [json.loads(line) for line in text.splitlines()]


@dataclass(frozen=True)
class Running:
    """Simulators in threads, started when first asked for, and what a caller needs to speak with them."""

    journal: Path
    keys: Path
    identity: Identity
    policy: wsse.Policy
    servers: dict[str, SimulatorServer]

    def client(self, system: str) -> Client:
        """A new client of a simulator that behaves."""
        if system not in self.servers:
            listening = socket.create_server(("127.0.0.1", 0))
            server = serve(Task(system, listening.detach(), PERSONS, SEED, str(self.journal), str(self.keys)))
            self.servers[system] = server
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        server = self.servers[system]
        server.control.put(Setting())
        url = f"http://127.0.0.1:{server.socket.getsockname()[1]}{path_of(system)}"
        client = Client(system, url, self.identity, self.policy)
        client.session.trust_env = False
        return client


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of keys for the gateway and every system."""
    directory = tmp_path_factory.mktemp("keys")
    new_keys(directory, APPLICATIONS)
    return directory


@pytest.fixture(scope="session")
def running(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The simulators of this run of tests."""
    journal = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    journal.touch()
    identity = Identity.load(keys / "gateway.pem", keys / "gateway.key")
    found = Running(journal, keys, identity, wsse.Policy(load_authorities(keys / "authority.pem")), {})
    yield found
    for server in found.servers.values():
        server.shutdown()
        server.server_close()


@pytest.fixture
def journal(running: Running) -> Journal:
    """The journal from here on."""
    return Journal(running.journal, running.journal.stat().st_size)


@pytest.fixture
def start(running: Running) -> Iterator[Callable[[str], Client]]:
    """Start a simulator and get a client for it."""
    clients: list[Client] = []

    def started(system: str) -> Client:
        clients.append(running.client(system))
        return clients[-1]

    yield started
    for client in clients:
        client.session.close()

"""`gateway serve` as a process of its own, on real sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

START_SECONDS = 60


@dataclass
class Served:
    """A running `gateway serve`: its process, its addresses, and what it has said on standard error."""

    process: subprocess.Popen[bytes]
    partners: str
    internal: str
    errors: list[str] = field(default_factory=list)

    def address(self, name: str = "internal") -> tuple[str, int]:
        parts = urlsplit(getattr(self, name))
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def connect(self, name: str = "internal") -> socket.socket:
        connection = socket.create_connection(self.address(name), timeout=30)
        connection.settimeout(30)
        return connection

    def family(self) -> list[int]:
        """Every process below the supervisor."""
        return below(self.process.pid)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


def configure(folder: Path, **sections: dict[str, object]) -> Path:
    """A directory for GATEWAY_CONFIG: state beside it, free ports, and what is given."""
    config = folder / "config"
    config.mkdir()
    known: dict[str, dict[str, object]] = {
        "state": {"directory": str(folder / "state")},
        "listen.partners": {"port": 0},
        "listen.internal": {"port": 0},
        "log": {"checkpoint_seconds": 0.2},
    }
    lines = []
    for name in known | sections:
        lines.append(f"[{name}]")
        lines += [
            f"{key} = {json.dumps(value)}"
            for key, value in (known.get(name, {}) | sections.get(name, {})).items()
        ]
    (config / "gateway.toml").write_text("\n".join(lines) + "\n")
    return config


def command(config: Path, *arguments: str, more: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start `gateway …`, with more in its environment."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return subprocess.Popen(  # noqa: S603 — our own interpreter and command
        [sys.executable, "-c", "import gateway; gateway.main()", *arguments],
        env=environ | {"GATEWAY_CONFIG": str(config)} | dict(more or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@contextmanager
def serving(config: Path, *arguments: str, more: Mapping[str, str] | None = None) -> Iterator[Served]:
    """`gateway serve --json`, ready; at the end nothing of it is left."""
    process = command(config, "serve", "--json", *arguments, more=more)
    said: list[str] = []
    assert process.stdout is not None
    assert process.stderr is not None
    listener = threading.Thread(
        target=lambda: said.extend(line.decode() for line in process.stderr or ()), daemon=True
    )
    listener.start()
    try:
        line = process.stdout.readline()
        assert line, "".join(said)
        ready = json.loads(line)
        assert ready["ready"] is True
        assert ready["pid"] == process.pid
        yield Served(process, ready["partners"], ready["internal"], said)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        listener.join(10)
        process.stdout.close()
        process.stderr.close()


def below(parent: int) -> list[int]:
    """The processes below one, however deep."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        number = int(text.split(" ", 1)[0])
        if int(text.rpartition(")")[2].split()[1]) == parent:
            found += [number, *below(number)]
    return found


def alive(numbers: list[int]) -> list[int]:
    """Those of the processes that are still there; a zombie is not."""
    left = []
    for number in numbers:
        try:
            state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            left.append(number)
    return left


def gone(numbers: list[int], seconds: float) -> bool:
    """Whether all have ended within a time; what is left then is killed, so that no test leaves it behind."""
    until = time.monotonic() + seconds
    while alive(numbers) and time.monotonic() < until:
        time.sleep(0.05)
    left = alive(numbers)
    for number in left:
        os.kill(number, signal.SIGKILL)
    return not left

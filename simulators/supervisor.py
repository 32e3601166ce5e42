"""Starts the simulators, each a process on a socket of its own, keeps them running and stops them.

The listening sockets are made here and handed down, so that an address is sure before a process starts and stays the
same when one is started again.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from urllib.parse import urlsplit

from errors import ConfigurationError
from simulators.server import Task, path_of

HOST = "127.0.0.1"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_BACKLOG = 128
_STOP_S = 3.0
_RESTARTS = 5  # of one simulator; one that keeps ending is broken


@dataclass(slots=True)
class _Child:
    task: Task
    listening: socket.socket
    process: subprocess.Popen[str]
    restarts: int = 0


class Simulators:
    """The running simulators, by name. Leaving the context stops them all."""

    def __init__(
        self, systems: Mapping[str, str], task: Task, *, ports: str = "settings", warn: Callable[[str], None]
    ) -> None:
        """`systems`: name and configured address of each; `task`: what all of them have in common."""
        self._warn = warn
        self._children: dict[str, _Child] = {}
        self._open = ExitStack()
        self.urls: dict[str, str] = {}
        with self._open:
            for name, url in systems.items():
                listening = self._open.enter_context(_listen(name, url if ports == "settings" else "", warn))
                self.urls[name] = f"http://{HOST}:{listening.getsockname()[1]}{path_of(name)}"
                mine = replace(task, system=name, fd=listening.fileno())
                self._children[name] = _Child(mine, listening, _start(mine))
                self._open.callback(_stop, self._children[name])
            for name, child in self._children.items():
                _await_ready(name, child.process)
            self._open = self._open.pop_all()

    def __enter__(self) -> Simulators:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._children.values():
            child.process.terminate()  # all at once; waiting comes after
        self._open.close()

    @property
    def pids(self) -> Mapping[str, int]:
        """The process of each simulator."""
        return {name: child.process.pid for name, child in self._children.items()}

    def keep_running(self) -> None:
        """Start again, at its address, every simulator that has ended.

        Raises: ConfigurationError when one has ended too often.
        """
        for name, child in self._children.items():
            if child.process.poll() is None:
                continue
            if child.restarts >= _RESTARTS:
                raise ConfigurationError(f"the simulator {name} ends again and again")
            self._warn(f"{name} ended with {child.process.returncode} and is started again")
            child.restarts += 1
            _stop(child)
            child.process = _start(child.task)
            _await_ready(name, child.process)


def _listen(name: str, url: str, warn: Callable[[str], None]) -> socket.socket:
    """A listening socket at the configured port, or at a free one where that is taken or not on this machine."""
    parts = urlsplit(url)
    wanted = parts.port or 0 if parts.hostname in _LOOPBACK else 0
    for port in (wanted, 0):
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            continue
        if url and port != (parts.port or -1):
            warn(f"{name}: {url} cannot be used here, listening on port {listening.getsockname()[1]} instead")
        return listening
    raise ConfigurationError(f"no free port on {HOST} for {name}")


def _start(task: Task) -> subprocess.Popen[str]:
    command: Sequence[str] = (sys.executable, "-P", "-m", "simulators.server", task.json())
    return subprocess.Popen(  # noqa: S603 — our own interpreter with arguments made here
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=(task.fd,)
    )


def _await_ready(name: str, process: subprocess.Popen[str]) -> None:
    line = process.stdout.readline() if process.stdout is not None else ""
    if line != "ready\n":
        raise ConfigurationError(f"the simulator {name} did not start; what it said is above")


def _stop(child: _Child) -> None:
    """End a process and wait for it; a deaf one is killed after three seconds."""
    child.process.terminate()
    deadline = time.monotonic() + _STOP_S
    try:
        child.process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        child.process.kill()
        child.process.wait()
    for pipe in (child.process.stdin, child.process.stdout):
        if pipe is not None:
            pipe.close()

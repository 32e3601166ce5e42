"""Hosts of their own for workers: network namespaces, whose cable to this one can be cut without a word.

A cut host still believes in its connections, and everybody else in theirs to it: packets vanish both ways.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from contextlib import ExitStack, suppress
from typing import Self

_NOBODY = "02:00:00:00:00:01"  # frames to this address reach no interface
_BYTES = 65536


class Host:
    """A namespace with one cable; services of this machine are reached at `address`, by a relay for each port."""

    def __init__(self, number: int) -> None:
        self.name = f"kill-{os.getpid()}-{number}"
        self._cable, self._end = f"k{os.getpid() % 100000}n{number}", f"k{os.getpid() % 100000}h{number}"
        subnet = f"10.{200 + os.getpid() % 50}.{number}"
        self.address, self._own = f"{subnet}.1", f"{subnet}.2"
        self._stack = ExitStack()

    @classmethod
    def possible(cls) -> bool:
        """Whether this machine lets us make one."""
        if os.getuid() != 0 or shutil.which("ip") is None:
            return False
        try:
            with cls(99):
                return True
        except subprocess.CalledProcessError:
            return False

    @property
    def prefix(self) -> tuple[str, ...]:
        """What a command is run with to run there."""
        return ("ip", "netns", "exec", self.name)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            _ip("netns", "add", self.name)
            stack.callback(_ip, "netns", "del", self.name)
            _ip("link", "add", self._cable, "type", "veth", "peer", "name", self._end, "netns", self.name)
            _ip("addr", "add", f"{self.address}/30", "dev", self._cable)
            _ip("link", "set", self._cable, "up")
            self._inside("addr", "add", f"{self._own}/30", "dev", self._end)
            self._inside("link", "set", self._end, "up")
            self._inside("link", "set", "lo", "up")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def relay(self, port: int) -> None:
        """Let the host reach a port of 127.0.0.1 here as the same port of `address`."""
        self._stack.enter_context(_Relay(self.address, port))

    def cut(self) -> None:
        """Drop every packet, both ways, without telling anybody."""
        _ip("neigh", "replace", self._own, "lladdr", _NOBODY, "dev", self._cable, "nud", "permanent")
        self._inside(
            "neigh", "replace", self.address, "lladdr", _NOBODY, "dev", self._end, "nud", "permanent"
        )

    def mend(self) -> None:
        """Undo `cut`."""
        _ip("neigh", "del", self._own, "dev", self._cable)
        self._inside("neigh", "del", self.address, "dev", self._end)

    def _inside(self, *words: str) -> None:
        _ip("-n", self.name, *words)


class _Relay:
    """Hands the bytes of each connection on, in both directions, until one side closes."""

    def __init__(self, address: str, port: int) -> None:
        self._port = port
        self._listening = socket.create_server((address, port))
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for one in list(self._open):
            _close(one)

    def _accept(self) -> None:
        while True:
            try:
                there, _ = self._listening.accept()
            except OSError:  # closed
                return
            try:
                here = socket.create_connection(("127.0.0.1", self._port), timeout=5)
            except OSError:
                there.close()
                continue
            here.settimeout(None)
            self._open |= {here, there}
            for source, target in ((here, there), (there, here)):
                threading.Thread(target=self._hand_on, args=(source, target), daemon=True).start()

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(_BYTES):
                target.sendall(content)
        for one in (source, target):
            _close(one)
            self._open.discard(one)


def _close(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)  # noqa: S603, S607 — fixed words, the machine's own `ip`

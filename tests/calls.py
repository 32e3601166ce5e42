"""An address that nobody must call: it counts who does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Calls:
    """The address, and those who have connected to it."""

    url: str
    heard: list[object] = field(default_factory=list)


@contextmanager
def counted() -> Iterator[Calls]:
    """An address on loopback that takes every connection, counts it and hangs up."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        calls = Calls(f"http://127.0.0.1:{listening.getsockname()[1]}/called")
        listening.settimeout(0.05)

        def count() -> None:
            while not ended.is_set():
                with suppress(TimeoutError):
                    connection, peer = listening.accept()
                    connection.close()
                    calls.heard.append(peer)

        thread = threading.Thread(target=count)
        thread.start()
        try:
            yield calls
        finally:
            ended.set()
            thread.join()

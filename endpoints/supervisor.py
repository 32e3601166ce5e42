"""`gateway serve`: binds the sockets, starts a generation of listeners on them, and ends all of it together.

Nothing outlives the supervisor, not even its SIGKILL; and nothing of it goes on when a part has fallen, so that
whoever runs it (systemd, a container) sees the fall. On SIGHUP the settings are read again: a new generation takes
over the same sockets, and the old one drains.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from config import Settings
from endpoints import listeners, metered, unix_socket
from endpoints.generation import Generation, Options, Place
from endpoints.reloading import Standing, rehearse
from exchange import Json
from storage import migrate, open_engine

# How the C library keeps memory, unless the operator says otherwise. Threads of a worker share two heaps: what one
# large message took, the next one in another thread takes again. What is as large as that is no part of a heap, and
# goes back to the system at once.
MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_TRIM_THRESHOLD_": "1048576"}

_METRICS = "spolis-metrics-"
_MEMORY = Path("/dev/shm")  # noqa: S108 — a directory of a name that nobody else can have is made in it


@dataclass(frozen=True, slots=True)
class _Told:
    """What this process was told by signals: to end, to end at once, to read the settings again."""

    stop: threading.Event = field(default_factory=threading.Event)
    hurry: threading.Event = field(default_factory=threading.Event)
    again: threading.Event = field(default_factory=threading.Event)


def serve(settings: Settings, options: Options, announce: Callable[[dict[str, Json]], None]) -> int:
    """Serve until SIGTERM or SIGINT; a second one ends at once. Gives the exit code: 0 drained, 1 something fell.

    `announce` is called once both listeners serve.
    Raises: ConfigurationError for whatever keeps the gateway from starting.
    """
    told = _Told()
    with ExitStack() as stack:
        stack.enter_context(_signals(told))
        engine = open_engine(settings.database_url)
        migrate.upgrade(engine)
        engine.dispose()
        rehearse(settings, listening=True)
        environ = (
            MEMORY
            | os.environ
            | {"PROMETHEUS_MULTIPROC_DIR": stack.enter_context(metrics_directory(settings.state))}
        )
        # What this process does itself, embedded, is counted with the rest.
        metered.share(environ["PROMETHEUS_MULTIPROC_DIR"])
        doors = {name: stack.enter_context(_opened(name, settings)) for name in listeners.NAMES}
        sockets = {name: door.bound for name, door in doors.items()}
        urls: dict[str, Json] = {
            name: listeners.url(getattr(settings, name), bound) for name, bound in sockets.items()
        }
        place = Place(sockets, environ, told.stop)
        running = _Running(settings, options, place, told.hurry)
        try:
            if not told.stop.is_set():
                announce({"ready": True, **urls, "pid": os.getpid()})
            fallen = _watch(running, told)
        finally:
            for door in doors.values():
                door.close()
            drained = running.stop()
    if fallen is not None:
        print(f"gateway: {fallen}; everything is stopped", file=sys.stderr, flush=True)
    return 0 if fallen is None and drained else 1


class _Running:
    """The generation that serves, and those before it that are still draining."""

    def __init__(self, settings: Settings, options: Options, place: Place, hurry: threading.Event) -> None:
        self._options = options
        self._place = place
        self._hurry = hurry
        self._standing = Standing(settings, "serve", listening=True)
        self._standing.started()
        self._generation = Generation(settings, options, place)
        self._draining: list[threading.Thread] = []

    def fallen(self) -> str | None:
        return self._generation.fallen()

    def again(self) -> None:
        """Read the settings again: by a new generation that serves, or not at all."""

        def begin(settings: Settings) -> Generation:
            return Generation(settings, self._options, self._place, whole=True)

        new = self._standing.again(begin, undo=lambda begun: begun.stop(self._hurry))
        if new is None:
            return
        old, self._generation = self._generation, new
        thread = threading.Thread(target=old.stop, args=(self._hurry,), name="draining")
        thread.start()
        self._draining = [*(each for each in self._draining if each.is_alive()), thread]

    def stop(self) -> bool:
        """Whether all of the last generation ended when asked."""
        drained = self._generation.stop(self._hurry)
        for thread in self._draining:
            thread.join()
        return drained


def _watch(running: _Running, told: _Told) -> str | None:
    """Wait for the end; what has fallen, if anything."""
    while not told.stop.wait(0.2):
        if told.again.is_set():
            told.again.clear()
            running.again()
        if fallen := running.fallen():
            return fallen
    return None


@dataclass(frozen=True, slots=True)
class _Door:
    """A bound socket, and the file that it is reached by, where it is a Unix socket."""

    bound: socket.socket
    path: Path | None
    inode: int

    def close(self) -> None:
        """Ours must not keep the address open when those who drain have closed theirs: callers are refused at once."""
        if self.bound.fileno() >= 0:
            if self.path is not None:
                unix_socket.remove(self.path, self.inode)
            self.bound.close()


@contextmanager
def _opened(name: str, settings: Settings) -> Iterator[_Door]:
    path = getattr(settings, name).socket
    bound = listeners.bind(name, getattr(settings, name))
    door = _Door(bound, path, path.stat().st_ino if path is not None else 0)
    try:
        yield door
    finally:
        door.close()


@contextmanager
def metrics_directory(state: Path, memory: Path = _MEMORY) -> Iterator[str]:
    """A directory for the counters of this run's processes, in memory where the machine has a place for that.

    Counters are memory-mapped files: on a full disk the first write into one kills its process. What a run left
    behind whose supervisor was killed is cleared away.
    """
    state.mkdir(parents=True, exist_ok=True)
    place = memory if os.access(memory, os.W_OK) else state
    for left in place.glob(f"{_METRICS}*"):
        owner = left.name.removeprefix(_METRICS).partition("-")[0]
        if owner.isdecimal() and not _runs(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    prefix = f"{_METRICS}{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place, ignore_cleanup_errors=True) as directory:
        yield directory


@contextmanager
def _signals(told: _Told) -> Iterator[None]:
    def end(_number: int, _frame: object) -> None:
        (told.hurry if told.stop.is_set() else told.stop).set()

    def again(_number: int, _frame: object) -> None:
        told.again.set()

    handlers = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGHUP: again}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True

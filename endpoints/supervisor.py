"""`gateway serve`: binds the sockets, starts a master for each listener, and ends all of it together.

Nothing outlives the supervisor, not even its SIGKILL; and nothing of it goes on when a part has fallen, so that
whoever runs it (systemd, a container) sees the fall.
"""

from __future__ import annotations

import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import gateway
from config import Settings
from endpoints import listeners, metered, readiness, unix_socket
from endpoints.work.background import Background
from errors import ConfigurationError
from exchange import Json
from storage import migrate, open_engine

diagnostics = logging.getLogger("gateway.serve")

_START_SECONDS = 60.0
# Beyond the time that running requests get, before what is left is killed.
_MARGIN_SECONDS = 5.0
_METRICS = "spolis-metrics-"
_MEMORY = Path("/dev/shm")  # noqa: S108 — a directory of a name that nobody else can have is made in it


@dataclass(frozen=True, slots=True)
class Options:
    """How to serve. Embedded: few processes, background work in threads of the supervisor, /soap inside too."""

    embedded: bool
    workers: int
    threads: int
    read_seconds: float
    grace_seconds: int


@dataclass(slots=True)
class _Children:
    """The processes that were started, by name."""

    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(
        self, name: str, arguments: Sequence[str], environ: dict[str, str], fds: Sequence[int] = ()
    ) -> None:
        # A group of its own: Ctrl-C in a terminal reaches the supervisor only, which then drains.
        self.running[name] = subprocess.Popen(  # noqa: S603 — our own interpreter and modules
            # -P: what lies in the working directory is none of our modules.
            [sys.executable, "-P", "-m", *arguments, "--parent", str(os.getpid())],
            env=environ,
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            process_group=0,
        )

    def fallen(self) -> str | None:
        """The first that has ended, and how."""
        for name, child in self.running.items():
            if (code := child.poll()) is not None:
                return f"{name} has ended by itself ({_ending(code)})"
        return None

    def stop(self, seconds: float, hurry: threading.Event) -> bool:
        """Ask all to end, wait, and kill what has not; whether all ended when asked."""
        for child in self.running.values():
            with suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
        until = time.monotonic() + seconds
        in_time = True
        for name, child in self.running.items():
            while child.poll() is None and time.monotonic() < until and not hurry.is_set():
                hurry.wait(0.05)
            if child.poll() is None:
                in_time = False
                diagnostics.error("%s did not end in time and is killed", name)
                child.kill()
                child.wait()
        return in_time


def serve(settings: Settings, options: Options, announce: Callable[[dict[str, Json]], None]) -> int:
    """Serve until SIGTERM or SIGINT; a second one ends at once. Gives the exit code: 0 drained, 1 something fell.

    `announce` is called once both listeners serve.
    Raises: ConfigurationError for whatever keeps the gateway from starting.
    """
    engine = open_engine(settings.database_url)
    migrate.upgrade(engine)
    engine.dispose()
    _rehearse(settings)
    stop, hurry = threading.Event(), threading.Event()
    children = _Children()
    with ExitStack() as stack:
        # Threads of a worker share two heaps: what one large message took, the next one in another thread takes again.
        environ = (
            {"MALLOC_ARENA_MAX": "2"}
            | os.environ
            | {"PROMETHEUS_MULTIPROC_DIR": stack.enter_context(metrics_directory(settings.state))}
        )
        # What this process does itself, embedded, is counted with the rest.
        metered.share(environ["PROMETHEUS_MULTIPROC_DIR"])
        sockets = {name: stack.enter_context(_bound(name, settings)) for name in listeners.NAMES}
        urls: dict[str, Json] = {
            name: listeners.url(getattr(settings, name), bound) for name, bound in sockets.items()
        }
        stack.enter_context(_signals(stop, hurry))
        background = Background(settings) if options.embedded else None
        try:
            if background is None:
                children.start("background", ["endpoints.work.background"], environ)
            _start_listeners(children, settings, options, sockets, environ, stop)
            if not stop.is_set():
                announce({"ready": True, **urls, "pid": os.getpid()})
            fallen = _watch(children, background, stop)
        finally:
            # The listeners first: what they write until the end still gets its place in the log.
            late = children.running.pop("background", None)
            drained = children.stop(options.grace_seconds + _MARGIN_SECONDS, hurry)
            if late is not None:
                drained &= _Children({"background": late}).stop(_MARGIN_SECONDS, hurry)
            if background is not None:
                background.stop()
    if fallen is not None:
        print(f"gateway: {fallen}; everything is stopped", file=sys.stderr, flush=True)
    return 0 if fallen is None and drained else 1


def _rehearse(settings: Settings) -> None:
    """Find out now, in one process and with a clear line, what would stop each worker.

    Raises: ConfigurationError.
    """
    for name in listeners.NAMES:
        listeners.tls_context(name, getattr(settings, name))
    wired = gateway.wire(settings)
    for path in readiness.missing_keys(settings):
        raise ConfigurationError(f"{path} is missing: gateway keys new")
    readiness.load_contracts(wired)
    wired.engine.dispose()


def _start_listeners(
    children: _Children,
    settings: Settings,
    options: Options,
    sockets: dict[str, socket.socket],
    environ: dict[str, str],
    stop: threading.Event,
) -> None:
    """Start both and wait until a worker of each serves.

    Raises: ConfigurationError when one does not come up.
    """
    waiting: dict[int, str] = {}
    with ExitStack() as stack:
        for name, bound in sockets.items():
            ready, told = os.pipe()
            stack.callback(os.close, ready)
            waiting[ready] = name
            arguments = ["endpoints.listeners", name, "--fd", str(bound.fileno()), "--ready-fd", str(told)]
            arguments += ["--workers", str(options.workers), "--threads", str(options.threads)]
            arguments += ["--read-seconds", str(options.read_seconds)]
            arguments += ["--grace-seconds", str(options.grace_seconds)]
            if name == "internal" and (options.embedded or settings.internal.soap):
                arguments.append("--soap")
            children.start(name, arguments, environ, (bound.fileno(), told))
            os.close(told)
            # Ours must not keep the address open when the child has closed its own.
            bound.close()
        until = time.monotonic() + _START_SECONDS
        while waiting and not stop.is_set():
            if time.monotonic() > until:
                raise ConfigurationError(
                    f"not ready after {_START_SECONDS:.0f} s: {', '.join(waiting.values())}"
                )
            for pipe in select.select(list(waiting), [], [], 0.2)[0]:
                name = waiting.pop(pipe)
                if not os.read(pipe, 1):
                    raise ConfigurationError(f"the {name} listener did not start; the lines above say why")


def _watch(children: _Children, background: Background | None, stop: threading.Event) -> str | None:
    """Wait for the end; what has fallen, if anything."""
    while not stop.wait(0.2):
        if fallen := children.fallen() or (background.fallen() if background is not None else None):
            return fallen
    return None


@contextmanager
def _bound(name: str, settings: Settings) -> Iterator[socket.socket]:
    path = getattr(settings, name).socket
    bound = listeners.bind(name, getattr(settings, name))
    inode = path.stat().st_ino if path is not None else 0
    with bound:
        yield bound
    if path is not None:
        unix_socket.remove(path, inode)


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
def _signals(stop: threading.Event, hurry: threading.Event) -> Iterator[None]:
    def told(_number: int, _frame: object) -> None:
        (hurry if stop.is_set() else stop).set()

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, told) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

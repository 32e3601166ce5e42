"""The processes of one reading of the settings: a master for each listener, and the background work beside them.

`serve` has one generation. When the settings are read again a new one is begun on the same sockets, and the old one
drains: at every instant somebody accepts.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from config import Settings
from endpoints.work.background import Background
from errors import ConfigurationError

diagnostics = logging.getLogger("gateway.serve")

_START_SECONDS = 60.0
# Beyond the time that running requests get, before what is left is killed.
_MARGIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """How to serve. Embedded: few processes, background work in threads of the supervisor, /soap inside too."""

    embedded: bool
    workers: int
    threads: int
    read_seconds: float
    grace_seconds: int


@dataclass(frozen=True, slots=True)
class Place:
    """What generations have in common: the bound sockets by listener, the environment, whether all is to end."""

    sockets: Mapping[str, socket.socket]
    environ: Mapping[str, str]
    stop: threading.Event


@dataclass(slots=True)
class _Children:
    """The processes that were started, by name."""

    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(
        self, name: str, arguments: Sequence[str], environ: Mapping[str, str], fds: Sequence[int] = ()
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


class Generation:
    """Listeners and background work by one reading of the settings; begun at once, ended by `stop`."""

    def __init__(self, settings: Settings, options: Options, place: Place, *, whole: bool = False) -> None:
        """Start all and wait until a worker of each listener serves; with `whole`, until all of them do.

        Must be called by the main thread: what it starts ends with the thread that started it.
        Raises: ConfigurationError when one does not come up; then nothing of it is left.
        """
        self._options = options
        self._children = _Children()
        self._background = Background(settings) if options.embedded else None
        try:
            self._start(settings, place, options.workers if whole else 1)
        except BaseException:
            self.stop(threading.Event())
            raise

    def fallen(self) -> str | None:
        """What has ended by itself, if anything."""
        return self._children.fallen() or (self._background.fallen() if self._background else None)

    def stop(self, hurry: threading.Event) -> bool:
        """End: running requests finish first; whether all ended when asked. `hurry`, set meanwhile, ends it at once."""
        # The listeners first: what they write until the end still gets its place in the log.
        late = self._children.running.pop("background", None)
        drained = self._children.stop(self._options.grace_seconds + _MARGIN_SECONDS, hurry)
        if late is not None:
            drained &= _Children({"background": late}).stop(_MARGIN_SECONDS, hurry)
        if self._background is not None:
            self._background.stop()
        return drained

    def _start(self, settings: Settings, place: Place, workers: int) -> None:
        with ExitStack() as stack:
            waiting: dict[int, str] = {}
            if self._background is None:
                with _told(stack, waiting, "background") as fd:
                    arguments = ["endpoints.work.background", "--ready-fd", str(fd)]
                    self._children.start("background", arguments, place.environ, (fd,))
            for name, bound in place.sockets.items():
                with _told(stack, waiting, name) as fd:
                    arguments = self._listener(name, settings, bound.fileno(), fd)
                    self._children.start(name, arguments, place.environ, (bound.fileno(), fd))
            wanted = {pipe: 1 if name == "background" else workers for pipe, name in waiting.items()}
            until = time.monotonic() + _START_SECONDS
            while waiting and not place.stop.is_set():
                if time.monotonic() > until:
                    raise ConfigurationError(
                        f"not ready after {_START_SECONDS:.0f} s: {', '.join(waiting.values())}"
                    )
                for pipe in select.select(list(waiting), [], [], 0.2)[0]:
                    said = len(os.read(pipe, wanted[pipe]))
                    if not said:
                        raise ConfigurationError(f"{waiting[pipe]} did not start; the lines above say why")
                    wanted[pipe] -= said
                    if not wanted[pipe]:
                        del waiting[pipe]

    def _listener(self, name: str, settings: Settings, bound: int, told: int) -> list[str]:
        options = self._options
        arguments = ["endpoints.listeners", name, "--fd", str(bound), "--ready-fd", str(told)]
        arguments += ["--workers", str(options.workers), "--threads", str(options.threads)]
        arguments += ["--read-seconds", str(options.read_seconds)]
        arguments += ["--grace-seconds", str(options.grace_seconds)]
        if name == "internal" and (options.embedded or settings.internal.soap):
            arguments.append("--soap")
        return arguments


@contextmanager
def _told(stack: ExitStack, waiting: dict[int, str], name: str) -> Iterator[int]:
    """The end of a pipe by which a child says that it is ready; ours is in `waiting` until `stack` closes it."""
    ours, theirs = os.pipe()
    stack.callback(os.close, ours)
    waiting[ours] = name
    try:
        yield theirs
    finally:
        os.close(theirs)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

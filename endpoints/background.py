"""The work beside the listeners: records get their place in the log, and orphaned exchanges are closed.

Threads of the supervisor in the embedded form, else a process of its own: `python -m endpoints.background`.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import timedelta

import config
from audit import open_log
from audit.sequencer import Sequencer
from audit.sweeper import Sweeper
from config import Settings
from endpoints.processes import die_with, start_diagnostics
from errors import GatewayError
from security.keys import load_log_key
from storage import open_engine

# An exchange may take `exchange_seconds`; a process that is only slow must not be taken for dead.
_TIMES = 4
_LEAST_GRACE = timedelta(minutes=2)

diagnostics = logging.getLogger("gateway.background")


class Background:
    """The threads of the background work; started at once, ended by `stop`."""

    def __init__(self, settings: Settings) -> None:
        """Raises: ConfigurationError when a key is missing."""
        engine = open_engine(settings.database_url)
        self._sequencer = Sequencer(
            engine,
            load_log_key(settings.keys / "log.key"),
            environment=settings.environment,
            checkpoint_seconds=settings.log.checkpoint_seconds,
        )
        grace = max(_LEAST_GRACE, timedelta(seconds=_TIMES * settings.limits.exchange_seconds))
        sweeper = Sweeper(engine, open_log(settings, engine), grace)
        self._engine = engine
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._sequencer.run, args=(self._stop,), name="sequencer", daemon=True),
            threading.Thread(target=sweeper.run, args=(self._stop,), name="sweeper", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def fallen(self) -> str | None:
        """The name of a thread that has ended by itself."""
        return next((thread.name for thread in self._threads if not thread.is_alive()), None)

    def stop(self) -> None:
        """End the threads; what was still written meanwhile gets its place too."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=10)
        try:
            while self._sequencer.run_once():
                pass
            self._sequencer.release()
        except GatewayError as error:
            diagnostics.warning("records are left for the next start: %s", error)
        self._engine.dispose()


def main(arguments: Sequence[str] | None = None) -> int:
    """Work until SIGTERM; exit 0 then, 1 when a thread fell."""
    parser = argparse.ArgumentParser(prog="python -m endpoints.background")
    parser.add_argument("--parent", type=int, required=True, help="The process to end with.")
    options = parser.parse_args(arguments)
    die_with(options.parent)
    start_diagnostics()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    background = Background(config.load())
    while not ended.wait(0.5):
        if fallen := background.fallen():
            diagnostics.error("the %s has ended by itself", fallen)
            return 1
    background.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""gunicorn's own lines, which repeat what a request held, go the way of all others: masked, and without messages."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger


class Lines(Logger):  # type: ignore[misc] # — gunicorn publishes no types
    """gunicorn's logger without a handler of its own."""

    def setup(self, cfg: Any) -> None:
        """Leave its errors to the handlers of the process; requests are counted, not listed."""
        super().setup(cfg)
        for handler in list(self.error_log.handlers):
            self.error_log.removeHandler(handler)
        self.error_log.propagate = True

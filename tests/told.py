"""Where operators are told, for tests: a webhook over real HTTP, and a mail relay over real SMTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from config import AlertSettings
from tests.instances import free_port


@dataclass
class Told:
    """What operators got. `status` is what the webhook answers, `reply` what the relay says to a mail."""

    settings: AlertSettings
    posts: list[dict[str, Any]] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    status: int = 204
    reply: str = "250 OK"

    @property
    def events(self) -> list[tuple[str, str]]:
        """Event and kind of each post."""
        return [(post["event"], post["kind"]) for post in self.posts]

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]


@contextmanager
def listening() -> Iterator[Told]:
    """Both, on ports of their own, until the block ends."""

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.raw.append(body)
            if told.status < 300:
                told.posts.append(json.loads(body))
            self.send_response(told.status)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Not to the terminal."""

    class Relay:
        async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:
            content = envelope.content
            assert isinstance(content, bytes)
            told.raw.append(content)
            if told.reply.startswith("250"):
                told.mails.append(message_from_bytes(content, policy=policy.default))
            return told.reply

    hook = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    # It finds a free port by itself only where the system says which one it took.
    relay = Controller(Relay(), hostname="127.0.0.1", port=free_port())
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    relay.start()
    told = Told(
        AlertSettings(
            webhook_url=f"http://127.0.0.1:{hook.server_port}/alerts",
            mail_to="operators@example.lv, duty@example.lv",
            mail_from="gateway@example.lv",
            smtp_host="127.0.0.1",
            smtp_port=relay.port,
        )
    )
    try:
        yield told
    finally:
        hook.shutdown()
        hook.server_close()
        relay.stop()

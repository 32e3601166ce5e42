"""A real HTTP server that publishes an edition as a ZIP, and remembers how it was asked."""

from __future__ import annotations

import io
import ssl
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from registers.varis.forms import Form
from tests.registers.varis.country import Country


@dataclass
class Site:
    """What is published, and how.

    `status` and `headers` in place of the usual, `cut` bytes that never come, `drip` seconds between two bytes.
    """

    url: str = ""
    content: bytes = b""
    etag: str | None = '"1"'
    modified: str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0
    drip: float = 0.0
    asked: list[dict[str, str]] = field(default_factory=list)
    sent: int = 0

    def publish(self, content: bytes, etag: str | None) -> None:
        self.content, self.etag = content, etag


@contextmanager
def publishing(context: ssl.SSLContext | None = None) -> Iterator[Site]:
    """A site on a free port of this machine."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append({name.lower(): value for name, value in self.headers.items()})
            status = site.status
            if site.etag is not None and self.headers.get("If-None-Match") == site.etag:
                status = 304
            if site.modified is not None and self.headers.get("If-Modified-Since") == site.modified:
                status = 304
            self.send_response(status)
            if site.etag is not None:
                self.send_header("ETag", site.etag)
            if site.modified is not None:
                self.send_header("Last-Modified", site.modified)
            for name, value in site.headers.items():
                self.send_header(name, value)
            if status != 200:
                self.end_headers()
                return
            self.send_header("Content-Length", str(len(site.content)))
            self.end_headers()
            site.sent += 1
            content, drip = site.content[: len(site.content) - site.cut], site.drip
            with suppress(ConnectionError):  # whoever has no more patience goes away
                for at in range(len(content) if drip else 1):
                    self.wfile.write(content[at : at + 1] if drip else content)
                    time.sleep(drip)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "http" if context is None else "https"
        site.url = f"{scheme}://localhost:{server.server_port}/aw_csv.zip"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join(20)


def packed(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of files by their names."""

    def write(archive: zipfile.ZipFile) -> None:
        for name, content in files.items():
            archive.writestr(name, content)

    return written(write, compression)


def written(write: Callable[[zipfile.ZipFile], object], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP as somebody else writes it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        write(archive)
    return made.getvalue()


def edition(country: Country, folder: Path, form: Form = Form.CURRENT) -> bytes:
    """The ZIP of a country's files, in a folder of it as the register packs them."""
    country.write(folder, form)
    return packed({f"aw_csv/{path.name}": path.read_bytes() for path in sorted(folder.glob("*.csv"))})

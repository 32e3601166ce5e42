"""An ASiC-E container: a ZIP whose first entry says what it is, the files, their manifest, and a signature over them.

Source: ETSI EN 319 162-1, 4.4 (ASiC-E with XAdES).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import datetime
from html import escape
from pathlib import Path, PurePosixPath

from audit.evidence.xades import signature
from exchange import RIGA
from security.keys import Identity

MEDIA_TYPE = "application/vnd.etsi.asic-e+zip"
SIGNATURES = "META-INF/signatures0.xml"
_MANIFEST = "META-INF/manifest.xml"
_KINDS = {
    ".html": "text/html",
    ".xml": "text/xml",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".txt": "text/plain",
    ".pem": "application/x-pem-file",
    ".py": "text/x-python",
    ".tsr": "application/timestamp-reply",
}


def media_type(name: str) -> str:
    """What a file of the container is, by its name."""
    return _KINDS.get(PurePosixPath(name).suffix, "application/octet-stream")


def write(path: Path, files: Mapping[str, bytes], signer: Identity, at: datetime) -> None:
    """Write a container with these files, signed; whole or not at all. `at` is the time that its entries bear."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(packed(files, signer, at))
        partial.chmod(0o600)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def packed(files: Mapping[str, bytes], signer: Identity, at: datetime) -> bytes:
    """A container with these files, signed. `at` is the time that its entries bear."""
    kinds = {name: media_type(name) for name in files}
    entries = {
        "mimetype": MEDIA_TYPE.encode(),
        _MANIFEST: _manifest(kinds),
        **files,
        SIGNATURES: signature(files, kinds, signer),
    }
    stamp = at.astimezone(RIGA).timetuple()[:6]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name, stamp)
            # Its first bytes tell programs what the file is, so this one stands there plainly.
            entry.compress_type = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return out.getvalue()


def _manifest(kinds: Mapping[str, str]) -> bytes:
    entries = [("/", MEDIA_TYPE), *kinds.items()]
    lines = "".join(
        f'<manifest:file-entry manifest:full-path="{escape(name)}" manifest:media-type="{escape(kind)}"/>\n'
        for name, kind in entries
    )
    namespace = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    head = f'<manifest:manifest xmlns:manifest="{namespace}" manifest:version="1.2">\n'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}{lines}</manifest:manifest>\n'.encode()

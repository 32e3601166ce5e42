"""A backup as a folder: what is in it, that it is whole, and that this log's key signed for it.

manifest.json   versions, SHA-256 and size of every file, size and root of the tree at that moment
manifest.sig    Ed25519 over the manifest's bytes, by log.key, base64
database.*      the copy of the database
config/         gateway.toml, systems.d, access.d, trust, crl as they were in force
files/          certificates that the settings name elsewhere, under their paths
keys/           the public files of the key directory
keys.sealed     with keys: their bundle, which shares or a passphrase open
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit import checkpoint
from config import DEFAULTS, Settings
from errors import ConfigurationError, InvalidRequest
from exchange import Environment, Json, instant_text

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
SEALED_KEYS = "keys.sealed"
FORM = "spolis-gateway backup v1"

_TAG = b"spolis-gateway backup manifest v1\0"
_SECRET = b"PRIVATE KEY"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. `checkpoint` is the newest one at that moment; `pending` had no place yet."""

    made_at: datetime
    gateway: str
    environment: Environment
    database: str
    server: str
    tool: str
    file: str
    migrations: tuple[str, ...]
    size: int
    root: str
    pending: int
    checkpoint: str
    keys: str
    files: tuple[tuple[str, int, str], ...]

    @property
    def origin(self) -> str:
        """The name of the log."""
        return checkpoint.parse(self.checkpoint).origin

    def json(self) -> dict[str, Json]:
        """As it stands in the file."""
        return {
            "form": FORM,
            "made_at": instant_text(self.made_at),
            "gateway": self.gateway,
            "environment": self.environment.value,
            "database": {
                "kind": self.database,
                "server": self.server,
                "tool": self.tool,
                "file": self.file,
                "migrations": list[Json](self.migrations),
            },
            "log": {
                "size": self.size,
                "root": self.root,
                "pending": self.pending,
                "checkpoint": self.checkpoint,
            },
            "keys": self.keys,
            "files": [{"path": path, "bytes": size, "sha256": digest} for path, size, digest in self.files],
        }


def collect(settings: Settings, folder: Path) -> None:
    """Copy configuration and public key files into a backup's folder.

    Raises: ConfigurationError naming a file that holds a private key where none belongs.
    """
    for source, name in _sources(settings):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        data = source.read_bytes()
        if _SECRET in data:
            raise ConfigurationError(f"{source} holds a private key, which belongs in {settings.keys} only")
        target.write_bytes(data)


def write(folder: Path, manifest: Manifest, key: Ed25519PrivateKey) -> str:
    """Write the manifest and its signature, see that all is on the disk, and give the manifest's SHA-256."""
    data = (json.dumps(manifest.json(), indent=1, ensure_ascii=False) + "\n").encode()
    (folder / MANIFEST).write_bytes(data)
    (folder / SIGNATURE).write_text(base64.b64encode(key.sign(_TAG + data)).decode() + "\n")
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o700 if path.is_dir() else 0o600)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return hashlib.sha256(data).hexdigest()


def files(folder: Path) -> tuple[tuple[str, int, str], ...]:
    """Path, size and SHA-256 of every file of a backup but the manifest and its signature."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or name in (MANIFEST, SIGNATURE):
            continue
        with path.open("rb") as file:
            found.append((name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()))
    return tuple(found)


def read(folder: Path, key: Ed25519PublicKey) -> Manifest:
    """A backup's manifest, after signature, every digest, and that nothing is missing or was added.

    Raises: InvalidRequest naming what does not hold.
    """
    try:
        data = (folder / MANIFEST).read_bytes()
        signature = base64.b64decode((folder / SIGNATURE).read_text().strip(), validate=True)
    except (FileNotFoundError, NotADirectoryError, binascii.Error, ValueError) as error:
        raise InvalidRequest(
            f"{folder} is no backup: {MANIFEST} or {SIGNATURE} is missing or damaged"
        ) from error
    try:
        key.verify(signature, _TAG + data)
    except InvalidSignature as error:
        raise InvalidRequest(
            "the manifest is not signed by log.pub: the backup was changed, or is of another gateway"
        ) from error
    manifest = _parsed(data)
    expected = {name: (size, digest) for name, size, digest in manifest.files}
    found = {name: (size, digest) for name, size, digest in files(folder)}
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            raise InvalidRequest(f"{name} is missing from the backup")
        if name not in expected:
            raise InvalidRequest(f"{name} was added to the backup")
        if expected[name] != found[name]:
            raise InvalidRequest(f"{name} is not the file that was backed up")
    return manifest


def discard(folder: Path) -> None:
    """Remove a backup that was not finished."""
    shutil.rmtree(folder, ignore_errors=True)


def _parsed(data: bytes) -> Manifest:
    try:
        values = json.loads(data)
        if values["form"] != FORM:
            raise ValueError("another form")
        database, log = values["database"], values["log"]
        return Manifest(
            made_at=datetime.fromisoformat(values["made_at"]),
            gateway=values["gateway"],
            environment=Environment(values["environment"]),
            database=database["kind"],
            server=database["server"],
            tool=database["tool"],
            file=database["file"],
            migrations=tuple(database["migrations"]),
            size=log["size"],
            root=log["root"],
            pending=log["pending"],
            checkpoint=log["checkpoint"],
            keys=values["keys"],
            files=tuple((one["path"], one["bytes"], one["sha256"]) for one in values["files"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRequest("the manifest is of a form that this gateway does not know") from error


def _sources(settings: Settings) -> Iterator[tuple[Path, str]]:
    own = Path(settings.source)
    if own != DEFAULTS:
        for path in [*own.glob("gateway.toml"), *sorted((own / "systems.d").glob("*.toml"))]:
            yield path, f"config/{path.relative_to(own)}"
    for name, part in (("access.d", settings.access), ("trust", settings.trust), ("crl", settings.crl)):
        for path in sorted(part.rglob("*")):
            if path.is_file() and path.name != "__init__.py":
                yield path, f"config/{name}/{path.relative_to(part)}"
    for pattern in ("*.pem", "log.pub", "*.vkey"):
        for path in sorted(settings.keys.glob(pattern)):
            yield path, f"keys/{path.name}"
    named = [settings.partners.certificate, settings.partners.client_ca, settings.internal.certificate]
    named += [settings.internal.client_ca, *(system.trust for system in settings.systems.values())]
    for path in sorted({one for one in named if one is not None and one.is_file()}):
        if not any(path.is_relative_to(part) for part in (settings.keys, settings.trust)):
            yield path, f"files/{path.relative_to('/')}"

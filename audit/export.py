"""An export of the exchange log: files from which a stranger verifies it, with the gateway stopped.

The rows are written as they lie in the database at one moment, whether they hold or not: who verifies is to judge, not
who exports. No personal value is in an export unless it is asked for. Source: docs/exchange-log.md, Export.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from io import BufferedIOBase
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from audit import checkpoint, leaf, retention, snapshot
from audit.nodes import Tree
from audit.notes import VerifierKey
from audit.records import Records
from audit.snapshot import MEMBERS, Place, Stored, Values
from audit.tables import log_cosignatures, log_records, log_tree, log_values
from errors import InvalidRequest, LogDamaged, LogUnavailable, NotFound
from exchange import Environment, Json, instant_text

FORM = "spolis-gateway log export v1"
MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
VERIFIER = "verify.py"
LEAVES = "export_leaves.py"

Progress = Callable[[int, int | None], None]

_TAG = b"spolis-gateway log export v1\0"
_TOLD_EVERY = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export: the leaves from a size on, personal values or none, compressed or plain."""

    start: int = 0
    values: bool = False
    compressed: bool = False


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported; `manifest` is its SHA-256, hexadecimal."""

    size: int
    root: str
    pending: int
    manifest: str
    bytes: int


def export(
    engine: Engine,
    folder: Path,
    key: Ed25519PrivateKey,
    *,
    wanted: Wanted,
    witness: VerifierKey | None,
    made_at: datetime,
    environment: Environment,
    progress: Progress,
) -> Exported:
    """Write the log, as it is at one moment, into a folder that is empty; the manifest comes last.

    Raises: NotFound for a log without checkpoints, InvalidRequest where the start is no checkpoint's size,
    LogDamaged where a row cannot be read, LogUnavailable when the database fails.
    """
    (folder / "keys").mkdir()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "keys" / "log.pub").write_bytes(public)
    (folder / "keys" / "witness.vkey").write_text("" if witness is None else f"{witness}\n", encoding="utf-8")
    (folder / VERIFIER).write_bytes(Path(__file__).with_name("export_verifier.py").read_bytes())
    (folder / LEAVES).write_bytes(Path(__file__).with_name(LEAVES).read_bytes())
    try:
        with snapshot.at_one_moment(engine) as connection:
            writing = _Writing(connection, folder, wanted, made_at)
            facts = writing.run(progress)
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    manifest: dict[str, Json] = {
        "form": FORM,
        "made_at": instant_text(made_at),
        "environment": environment.value,
        **facts,
        "values": wanted.values,
        "retention": {name: one.months for name, one in retention.classes().items()},
        "files": [_listed(folder, path) for path in sorted(folder.rglob("*")) if path.is_file()],
    }
    data = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
    (folder / MANIFEST).write_bytes(data)
    (folder / SIGNATURE).write_bytes(signature_of(key, data))
    return Exported(
        size=writing.size,
        root=base64.b64encode(writing.root).decode(),
        pending=writing.pending,
        manifest=hashlib.sha256(data).hexdigest(),
        bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    )


def signature_of(key: Ed25519PrivateKey, manifest: bytes) -> bytes:
    """What stands in `manifest.sig` beside a manifest of these bytes."""
    return base64.b64encode(key.sign(_TAG + manifest))


class _Writing:
    """One pass over the tables. Memory: a page of rows."""

    def __init__(self, connection: Connection, folder: Path, wanted: Wanted, made_at: datetime) -> None:
        self._connection = connection
        self._folder = folder
        self._wanted = wanted
        self._records = Records(connection, None, made_at)
        self.size = snapshot.count(connection, log_tree.c.idx)
        self.root = b""
        self.pending, self._waiting_values, self._dangling = snapshot.unplaced(connection)
        self._next: int | None = None
        self._seen_values = 0
        self._seen_cosignatures = 0

    def run(self, progress: Progress) -> dict[str, Json]:
        """Write every file but the manifest; what goes into that one."""
        try:
            return self._run(progress)
        except DBAPIError as error:
            if not snapshot.is_damage(error):
                raise
            where = "" if self._next is None else f" at index {self._next}"
            raise LogDamaged(f"a row cannot be read{where}") from error

    def _run(self, progress: Progress) -> dict[str, Json]:
        start = self._wanted.start
        begun = self._begun(start)
        self._write("checkpoints.jsonl", self._checkpoints(start))
        self._write("erasures.jsonl", self._erasures(start))
        self._stamps(start)
        self._leaves(start, progress)
        return {
            "origin": begun,
            "from": start,
            "size": self.size,
            "root": base64.b64encode(self.root).decode(),
            "frontier": [base64.b64encode(each).decode() for each in self._frontier(start)],
            "pending": self.pending,
            "strays": self._strays(start),
        }

    def _begun(self, start: int) -> str:
        """The origin of the checkpoint that the export goes on from."""
        if start == 0:
            return ""
        note = snapshot.note(self._connection, start)
        if note is None:
            raise InvalidRequest(
                f"no checkpoint was signed at {start}: `gateway audit checkpoint` prints one"
            )
        return checkpoint.parse(note).origin

    def _frontier(self, start: int) -> Iterator[bytes]:
        tree, at = Tree(self._connection), 0
        for height in reversed(range(start.bit_length())):
            if start >> height & 1:
                yield tree.hash(at, at + (1 << height))
                at += 1 << height

    def _checkpoints(self, start: int) -> Iterator[dict[str, Json]]:
        after = start - 1
        for size, note in snapshot.checkpoints(self._connection):
            if size < start:
                continue
            if type(note) is not str:
                note = None
            else:
                for _, _, _, line in snapshot.cosignatures(self._connection, after, size):
                    self._seen_cosignatures += 1
                    note += line if isinstance(line, str) else f"{line!r}\n"
                with suppress(ValueError):
                    self.root = checkpoint.parse(note).root
            after = size
            yield {"size": size, "note": note}
        if not self.root:
            raise NotFound("a checkpoint: the log has none yet")

    def _erasures(self, start: int) -> Iterator[dict[str, Json]]:
        for index, text in snapshot.erasures(self._connection):
            if index >= start:
                yield {"index": index, "leaf": text if isinstance(text, str) else ""}

    def _stamps(self, start: int) -> None:
        """Time stamps, each beside the note that it is over, as `openssl ts -verify` takes them."""
        folder = self._folder / "stamps"
        for size, token, note in snapshot.stamps(self._connection):
            if size >= start:
                folder.mkdir(exist_ok=True)
                (folder / f"{size}.tsr").write_bytes(token if isinstance(token, bytes) else b"")
                (folder / f"{size}.note").write_text(note if isinstance(note, str) else "", encoding="utf-8")

    def _leaves(self, start: int, progress: Progress) -> None:
        with ExitStack() as files:
            leaves = files.enter_context(self._file("leaves.jsonl"))
            places = files.enter_context(self._file("tree.jsonl"))
            values = files.enter_context(self._file("values.jsonl")) if self._wanted.values else None
            self._next = start
            for place, stored, found in snapshot.leaves(self._connection, start):
                if place.idx % _TOLD_EVERY == 0:
                    progress(place.idx - start, self.size - start)
                # A leaf in its canonical form has no line end, so that a line is a leaf.
                text = stored.leaf if isinstance(stored.leaf, str) and "\n" not in stored.leaf else ""
                leaves.write(text.encode() + b"\n")
                places.write(_line(self._place(place, stored, found)))
                self._seen_values += len(found)
                if values is not None:
                    for name, salt, value in sorted(found, key=lambda row: str(row[0])):
                        shown = salt.hex() if isinstance(salt, bytes) else str(salt)
                        row = {"index": place.idx, "name": str(name), "salt": shown, "value": str(value)}
                        values.write(_line(row))
                self._next = place.idx + 1
            self._next = None
        progress(self.size - start, self.size - start)

    def _place(self, place: Place, stored: Stored, values: Values) -> dict[str, Json]:
        """What the tree says of a leaf; and where its columns or values say otherwise than the leaf, that they do."""
        row: dict[str, Json] = {
            "index": place.idx,
            "hash": _hex(place.leaf_hash),
            "checkpoint": place.checkpoint if type(place.checkpoint) is int else None,
        }
        try:
            members = leaf.parse(stored.leaf)
        except (TypeError, ValueError):
            return row
        columns = stored.columns().items()
        differs = [name for name, cell in columns if cell != members.get(MEMBERS.get(name, name))]
        commitments = members.get("commitments")
        ours = commitments if isinstance(commitments, dict) else {}
        broken = [str(name) for name, salt, value in values if not _holds(ours.get(name), salt, value)]
        missing = sorted(ours.keys() - {name for name, _, _ in values})
        told: dict[str, list[str]] = {"differs": differs, "broken": broken, "missing": missing}
        if missing:
            row["class"] = self._records.class_of(members)
        return row | {name: list[Json](names) for name, names in told.items() if names}

    def _strays(self, start: int) -> dict[str, Json]:
        """How many rows of each table belong to nothing that was exported; not told of the part of a log."""
        records = snapshot.count(self._connection, log_records.c.id) - self.size - self.pending
        found: dict[str, Json] = {"records": records, "queue": self._dangling}
        if start == 0:
            values = snapshot.count(self._connection, log_values.c.name)
            cosignatures = snapshot.count(self._connection, log_cosignatures.c.size)
            found["values"] = values - self._seen_values - self._waiting_values
            found["cosignatures"] = cosignatures - self._seen_cosignatures
        return found

    def _write(self, name: str, rows: Iterable[dict[str, Json]]) -> None:
        with self._file(name) as file:
            for row in rows:
                file.write(_line(row))

    @contextmanager
    def _file(self, name: str) -> Iterator[BufferedIOBase]:
        if not self._wanted.compressed:
            with (self._folder / name).open("wb") as file:
                yield file
            return
        with gzip.open(self._folder / f"{name}.gz", "wb", compresslevel=6) as packed:
            yield packed


def _holds(commitment: Json, salt: object, value: object) -> bool:
    return leaf.commits(commitment, salt, value) and leaf.is_canonical(str(value))


def _hex(value: object) -> Json:
    return value.hex() if isinstance(value, bytes) else None


def _line(row: Mapping[str, Json]) -> bytes:
    return json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _listed(folder: Path, path: Path) -> dict[str, Json]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size, "sha256": digest}

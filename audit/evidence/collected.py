"""What the log and the archive have of one exchange, with the proofs: everything that goes into a container but words.

messages/request.xml, sent-1.xml, received-1.xml, reply.xml …   the exact bytes
certificates/<SHA-256>.pem                                      those that the messages were signed with
log/records.jsonl    {"index","leaf"}: the exact text of each leaf
log/values.jsonl     {"record","name","salt","value"}: what the commitments are of, salts hexadecimal
log/proof-<index>.txt                                           the path of each leaf to the checkpoint
log/checkpoint.txt   with the log's signature and the cosignatures over it
log/log.pub, log/witness.txt                                    the keys that those are checked with
log/stamped.txt, log/stamp.tsr    where there is one over the records: a checkpoint and its time stamp (RFC 3161)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, Row, select

from audit import leaf, proofs, stamps, standing
from audit.archive import Archive
from audit.checkpoint import Checkpoint
from audit.notes import VerifierKey
from audit.tables import log_checkpoints, log_records, log_tree, log_values
from errors import Busy, GatewayError, NotFound
from exchange import Json
from security.profile import WSSE
from security.xml import parse

_TOKENS = f".//{{{WSSE}}}BinarySecurityToken"


@dataclass(frozen=True, slots=True)
class Proven:
    """One record: its index, the leaf's members, and those of its values that are not erased."""

    index: int
    leaf: Mapping[str, Json]
    values: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Collected:
    """The files of a container by name, and what a cover page tells of them."""

    exchange_id: uuid.UUID
    records: tuple[Proven, ...]
    files: Mapping[str, bytes]
    checkpoint: Checkpoint
    witnessed: bool


def collect(
    connection: Connection,
    archive: Archive,
    exchange_id: uuid.UUID,
    public_key: Path,
    witness: VerifierKey | None,
) -> Collected:
    """Everything of an exchange, proven to the newest cosigned checkpoint over it, else to the newest one.

    Raises: NotFound without records, Busy while one waits for its index, LogUnavailable when the log contradicts
    itself.
    """
    rows = connection.execute(
        select(log_records.c.id, log_records.c.leaf, log_tree.c.idx)
        .outerjoin(log_tree, log_tree.c.record_id == log_records.c.id)
        .where(log_records.c.exchange_id == str(exchange_id))
        .order_by(log_tree.c.idx)
    ).all()
    if not rows:
        raise NotFound("records of that exchange")
    if any(row.idx is None for row in rows):
        raise Busy("a record of it has no index yet", retry_after=5)
    signed, witnessed = standing.newest_over(connection, rows[-1].idx + 1, witness)
    values = connection.execute(
        select(log_values)
        .where(log_values.c.record_id.in_([row.id for row in rows]))
        .order_by(log_values.c.record_id, log_values.c.name)
    ).all()
    messages = dict(_messages(connection, archive, exchange_id))
    lines = [_line({"index": row.idx, "leaf": row.leaf}) for row in rows]
    told = [
        _line({"record": one.record_id, "name": one.name, "salt": one.salt.hex(), "value": one.value})
        for one in values
    ]
    files = {
        **messages,
        **_certificates(messages.values()),
        "log/records.jsonl": "".join(lines).encode(),
        "log/values.jsonl": "".join(told).encode(),
        **{f"log/proof-{row.idx}.txt": _proof(connection, row.idx, signed) for row in rows},
        "log/checkpoint.txt": signed.note().encode(),
        "log/log.pub": public_key.read_bytes(),
    }
    if witness is not None:
        files["log/witness.txt"] = f"{witness}\n".encode()
    files |= _stamp(connection, rows[-1].idx + 1)
    return Collected(exchange_id, tuple(_proven(row, values) for row in rows), files, signed, witnessed)


def _proof(connection: Connection, index: int, signed: Checkpoint) -> bytes:
    """A path as text: the leaf's index, the size of the tree, the hashes from the leaf's sibling up, base64."""
    path = proofs.inclusion(connection, index, signed.size)
    return "\n".join(
        (f"index {index}", f"size {signed.size}", *(base64.b64encode(one).decode() for one in path), "")
    ).encode()


def _stamp(connection: Connection, size: int) -> dict[str, bytes]:
    """The first time stamp over a checkpoint that covers the records, with that checkpoint's exact bytes."""
    found = stamps.first_over(connection, size)
    if found is None:
        return {}
    note = connection.execute(
        select(log_checkpoints.c.note).where(log_checkpoints.c.size == found[0])
    ).scalar_one()
    return {"log/stamped.txt": note.encode(), "log/stamp.tsr": found[1]}


def _messages(
    connection: Connection, archive: Archive, exchange_id: uuid.UUID
) -> Iterator[tuple[str, bytes]]:
    try:
        names = archive.names(connection, exchange_id)
    except NotFound:  # its bytes are erased, or it never came so far: what the log has is evidence too
        return
    for name in names:
        content = archive.get(connection, exchange_id, name)
        yield f"messages/{name}.{_suffix(content)}", content


def _suffix(content: bytes) -> str:
    begin = content.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")[:1]
    return {b"<": "xml", b"{": "json"}.get(begin, "bin")


def _certificates(messages: Iterable[bytes]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for content in messages:
        for certificate in _signers(content):
            der = certificate.public_bytes(Encoding.DER)
            name = f"certificates/{hashlib.sha256(der).hexdigest()}.pem"
            found[name] = certificate.public_bytes(Encoding.PEM)
    return found


def _signers(content: bytes) -> Iterator[x509.Certificate]:
    """The certificates of a message's tokens; of what is no message, none."""
    try:
        root = parse(content)
    except GatewayError:
        return
    for token in root.iterfind(_TOKENS):
        try:
            yield x509.load_der_x509_certificate(base64.b64decode(token.text or "", validate=True))
        except (ValueError, binascii.Error):
            continue


def _proven(row: Row[Any, Any, Any], values: Sequence[Row[Any, Any, Any, Any]]) -> Proven:
    named = {one.name: leaf.value(one.value) for one in values if one.record_id == row.id}
    return Proven(row.idx, leaf.parse(row.leaf), named)


def _line(content: Mapping[str, Json]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"

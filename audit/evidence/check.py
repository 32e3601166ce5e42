"""Check a container of evidence: run it in the folder where the container is unpacked, `python3 check.py`.

It needs Python 3.9 and `cryptography`, of which it calls one function (to verify an Ed25519 signature), and nothing of
the gateway. It says what holds and what does not; exit code 0 when everything holds, 1 when something does not.
That the signature in META-INF/signatures0.xml is the gateway's is shown by xmlsec1, see README.txt.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cryptography.hazmat.primitives.serialization import load_pem_public_key

DS = "{http://www.w3.org/2000/09/xmldsig#}"
TAG = b"spolis-gateway log value v1\0"
failures = 0


def say(holds: object, what: str) -> None:
    global failures
    failures += not holds
    print("holds  " if holds else "FAILS  ", what)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def files(root: Path) -> None:
    """Every file is named in the signature with the digest of its exact bytes, and nothing else lies there."""
    tree = ET.parse(root / "META-INF/signatures0.xml")  # noqa: S314 — a file that its reader has chosen
    named = {"mimetype", "META-INF/manifest.xml", "META-INF/signatures0.xml"}
    for reference in tree.iter(DS + "Reference"):
        name = unquote(reference.get("URI", ""))
        if name.startswith("#"):
            continue
        named.add(name)
        path = root / name
        wanted = base64.b64decode(reference.findtext(DS + "DigestValue") or "")
        say(path.is_file() and sha256(path.read_bytes()) == wanted, name + " is the file that was signed")
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.relative_to(root).as_posix() not in named:
            say(False, path.relative_to(root).as_posix() + " is not of the container")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def commitments(root: Path, records: dict[str, Any]) -> None:
    """Each value is the one that the record commits to, and each message the one whose digest stands there."""
    found: dict[str, Any] = {}
    for one in lines(root / "log/values.jsonl"):
        made = sha256(TAG + bytes.fromhex(one["salt"]) + one["value"].encode()).hex()
        committed = records[one["record"]]["commitments"].get(one["name"])
        say(len(one["salt"]) == 32 and made == committed, one["name"] + " of record " + one["record"])
        if one["name"].endswith("_sha256"):
            value = json.loads(one["value"])
            found.setdefault(one["name"], set()).update(value if isinstance(value, list) else [value])
    for path in sorted((root / "messages").glob("*")):
        kind = path.stem.partition("-")[0]
        if kind + "_sha256" in found:
            digest = sha256(path.read_bytes()).hex()
            say(digest in found[kind + "_sha256"], path.name + " is the message that the log committed to")


def inclusion(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """The root that a path leads to. RFC 9162, 2.1.3.2."""
    if not 0 <= index < size:
        return None
    node, last = sha256(b"\0" + leaf), size - 1
    for one in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            node = sha256(b"\1" + one + node)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            node = sha256(b"\1" + node + one)
        index, last = index >> 1, last >> 1
    return node if last == 0 else None


def signed(note: str, log_key: Any, witness: str) -> tuple[int, bytes]:
    """The checkpoint's size and root, once its signatures are looked at."""
    body, _, rest = note.partition("\n\n")
    origin, size, root = body.split("\n")
    body += "\n"
    witness_name, witness_id, witness_key = witness.split("+", 2) if witness else ("", "", "")
    by_log = False
    for line in rest.splitlines():
        name, blob = line[2:].split(" ")
        raw = base64.b64decode(blob)
        if name == origin:
            mine = sha256(name.encode() + b"\n\x01" + log_key.public_bytes_raw())[:4] == raw[:4]
            by_log = mine and verifies(log_key, raw[4:], body.encode())
        elif (name, raw[:4].hex()) == (witness_name, witness_id):
            instant = int.from_bytes(raw[4:12], "big")
            told = f"cosignature/v1\ntime {instant}\n{body}"
            key = type(log_key).from_public_bytes(base64.b64decode(witness_key)[1:])
            say(
                verifies(key, raw[12:], told.encode()),
                f"the witness {name} saw it, Unix time {instant}",
            )
    say(by_log, "the log signed its checkpoint at " + size)
    return int(size), base64.b64decode(root)


def verifies(key: Any, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except Exception:  # whatever is wrong with it: it does not hold
        return False
    return True


def main(root: Path) -> int:
    files(root)
    rows = lines(root / "log/records.jsonl")
    records = {leaf["id"]: leaf for leaf in (json.loads(row["leaf"]) for row in rows)}
    commitments(root, records)
    witness = root / "log/witness.txt"
    size, top = signed(
        (root / "log/checkpoint.txt").read_text("utf-8"),
        load_pem_public_key((root / "log/log.pub").read_bytes()),
        witness.read_text().strip() if witness.exists() else "",
    )
    for row in rows:
        _, _, *told = (root / f"log/proof-{row['index']}.txt").read_text().split("\n")
        path = [base64.b64decode(one) for one in told if one]
        proven = inclusion(row["leaf"].encode(), row["index"], size, path)
        say(proven == top, f"the record at index {row['index']} is in the log at {size}")
    print(f"{failures} do not hold" if failures else "everything holds")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))

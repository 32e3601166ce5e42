"""Verify an export of the exchange log without the gateway: Python 3.11 or newer and the package `cryptography`.

python verify.py [FOLDER] [--log-key log.pub] [--witness witness.vkey] prints JSON. Exit code 0: whole, witnessed;
3: whole, not witnessed; 1: changed. Without the options the keys are those in the export: compare them with your own.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


class Bad(Exception):
    """The first index that does not hold, None where there is none, and what is wrong with it."""


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def check(key: bytes, signature: bytes, message: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(key).verify(signature, message)


def read(line: bytes, *names: str) -> dict[str, Any]:
    """A line of ours: one JSON object with these members, and what is missing, in the one way it is written."""
    value: dict[str, Any] = json.loads(line.decode())
    if encode(value).encode() != line or value.keys() - {"missing", "class"} != set(names):
        raise ValueError(f"a line is not in its exact form, or the database says otherwise: {sorted(value)}")
    return value


def excused(erasure: dict[str, Any], leaf: dict[str, Any], name: str, kept: str, months: int) -> bool:
    """Whether an erasure on record says that this value may be missing, and that its time was over."""
    before, names = erasure["before"], erasure["names"]
    year, month = divmod(int(before[:4]) * 12 + int(before[5:7]) - 1 + months, 12)
    over = months > 0 and f"{year:04}-{month + 1:02}{before[7:]}" <= erasure["instant"]
    return over and erasure["class"] == kept and leaf["instant"] < before and name.split(".")[0] in names


class Export:
    def __init__(self, folder: Path) -> None:
        self.folder, self.index, self.size = folder, 0, 0
        self.subtrees: list[bytes] = []
        self.good: int | None = None
        self.anchored: int | None = None
        self.done = dict.fromkeys(("values", "erased", "checkpoints", "cosignatures"), 0)

    def begin(self, log_key: Path | None, witness: Path | None) -> None:
        folder, self.manifest = self.folder, json.loads((self.folder / "manifest.json").read_bytes())
        pem = (log_key or folder / "keys" / "log.pub").read_text().strip().split("\n")
        self.key = b64decode("".join(pem[1:-1]), validate=True)[12:]  # the bytes before say: Ed25519
        vkeys = (witness or folder / "keys" / "witness.vkey").read_text().split()
        self.witnesses = {each.split("+")[0]: b64decode(each.split("+", 2)[2])[1:] for each in vkeys}
        self.start, self.index, self.size = (self.manifest[name] for name in ("from", "from", "size"))
        self.origin, self.subtrees = self.manifest["origin"], list(map(b64decode, self.manifest["frontier"]))

    def files(self) -> None:
        """Every file is the one that was exported, none is missing or was added, and the log's key says so."""
        message = b"spolis-gateway log export v1\0" + (self.folder / "manifest.json").read_bytes()
        check(self.key, b64decode((self.folder / "manifest.sig").read_bytes(), validate=True), message)
        listed = {each["path"]: each["sha256"] for each in self.manifest["files"]}
        paths = (path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file())
        if odd := {path.as_posix() for path in paths} ^ listed.keys() ^ {"manifest.json", "manifest.sig"}:
            raise Bad(None, f"{min(odd)} is missing or no part of the export")
        for name, digest in listed.items():
            with (self.folder / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                    raise Bad(None, f"{name} is not the file that was exported")

    def lines(self, name: str) -> Iterator[bytes]:
        packed = self.folder / f"{name}.gz"
        with gzip.open(packed) if packed.exists() else (self.folder / name).open("rb") as file:
            yield from (line[:-1] if line.endswith(b"\n") else b"" for line in file)

    def walk(self) -> None:
        """Every leaf in order, with its place in the tree, its values, and the checkpoints over it."""
        self.erasures = {
            each["index"]: each["leaf"] for each in map(json.loads, self.lines("erasures.jsonl"))
        }
        self.notes, places, leaves = map(self.lines, ("checkpoints.jsonl", "tree.jsonl", "leaves.jsonl"))
        self.values = self.lines("values.jsonl") if self.manifest["values"] else iter([])
        self.value, checkpoint = next(self.values, None), None
        if self.start and self.checkpoint() != (self.start, self.root()):
            raise Bad(self.start, "the subtrees at the beginning are not those of the first checkpoint")
        for _, line in zip(range(self.start, self.size), leaves, strict=False):
            place, hashed = read(next(places, b""), "index", "hash", "checkpoint"), sha256(b"\0", line)
            if (place["index"], place["hash"]) != (self.index, hashed.hex()):
                raise Bad(self.index, "the record is missing, or is not the one that the tree has")
            self.leaf(json.loads(line.decode()), line, place)
            checkpoint = checkpoint or self.checkpoint()
            if place["checkpoint"] != checkpoint[0] or checkpoint[0] <= self.index:
                raise Bad(self.index, "the tree names another checkpoint than the next one")
            number = self.index
            while number & 1:
                hashed, number = sha256(b"\1", self.subtrees.pop(), hashed), number >> 1
            self.subtrees.append(hashed)
            self.index += 1
            if self.index == checkpoint[0]:
                if self.root() != checkpoint[1]:
                    raise Bad(self.good or self.start, f"another root than that signed at {self.index}")
                self.good, checkpoint = self.index, None
        if self.index != self.size or checkpoint or [*leaves, *places, *self.notes]:
            raise Bad(self.index, "lines are missing at the end, or too many")
        if self.value or self.erasures or any(self.manifest["strays"].values()):
            raise Bad(self.index, f"rows that belong to nothing: {self.manifest['strays']}")

    def leaf(self, leaf: dict[str, Any], line: bytes, place: dict[str, Any]) -> None:
        commitments, missing, names = leaf["commitments"], place.get("missing", []), [""]
        while self.value and self.value.startswith(b'{"index":%d,' % self.index):
            value = read(self.value, "index", "name", "salt", "value")
            salt, tag = bytes.fromhex(value["salt"]), b"spolis-gateway log value v1\0"
            hashed = sha256(tag, salt, value["value"].encode()).hex()
            exact = len(salt) == 16 and salt.hex() == value["salt"] and value["name"] > names[-1]
            if not exact or commitments.get(value["name"]) != hashed:
                raise Bad(self.index, f"the value {value['name']} does not match its commitment")
            names.append(value["name"])
            self.value = next(self.values, None)
        if self.manifest["values"] and names[1:] != sorted(commitments.keys() - missing):
            raise Bad(self.index, "a value is missing from the export")
        later = [json.loads(text) for at, text in self.erasures.items() if missing and at > self.index]
        time = (place["class"], self.manifest["retention"][place["class"]]) if missing else ("", 0)
        if not all(any(excused(each, leaf, name, *time) for each in later) for name in missing):
            raise Bad(self.index, f"a value is missing and no erasure is on record: {missing}")
        for what, more in ("values", len(names) - 1), ("erased", len(missing)):
            self.done[what] += more
        if self.erasures.pop(self.index, None) != (line.decode() if leaf["kind"] == "erasure" else None):
            raise Bad(self.index, "the erasures are not those of the leaves")
        if leaf["v"] != 1 or (leaf["kind"] != "origin" and self.index == 0):
            raise Bad(self.index, "the leaf is of an unknown version, or no origin at the beginning")
        if leaf["kind"] == "origin":
            tree = {"log": self.origin, "size": self.index, "root": b64encode(self.root()).decode()}
            ours = {"public_key": b64encode(self.key).decode(), "log": leaf["exchange"]}
            ours |= {"continues": tree} if self.index else {}
            begun = (self.good or self.start) == self.index and ("continues" in leaf) == (self.index > 0)
            if leaf | ours != leaf or not begun:
                raise Bad(self.index, "the log is of another key, or does not say where it was restored")
            self.origin = f"spolis-gateway/{leaf['environment']}/{leaf['log']}"

    def root(self) -> bytes:
        return reduce(lambda right, left: sha256(b"\1", left, right), reversed(self.subtrees or [sha256()]))

    def checkpoint(self) -> tuple[int, bytes]:
        """Size and root of the next checkpoint, signed by the log; a known witness's signature must hold too."""
        line, ours = read(next(self.notes, b""), "note", "size"), False
        text, _, under = line["note"].partition("\n\n")
        (origin, size, root), (*signatures, end) = text.split("\n"), under.split("\n")
        for _, name, blob in (each.split(" ") for each in signatures):
            signature, message = b64decode(blob, validate=True), f"{text}\n".encode()
            stamp = f"cosignature/v1\ntime {int.from_bytes(signature[4:12])}\n".encode()
            if signature[:4] == sha256(origin.encode(), b"\n\1", self.key)[:4] and name == origin:
                check(self.key, signature[4:], message)
                self.done["checkpoints"], ours = self.done["checkpoints"] + 1, True
            elif signature[:4] == sha256(name.encode(), b"\n\4", self.witnesses.get(name, b""))[:4]:
                check(self.witnesses[name], signature[12:], stamp + message)
                self.done["cosignatures"], self.anchored = self.done["cosignatures"] + 1, int(size)
        if end or not ours or origin != self.origin or line["size"] != int(size):
            raise Bad(self.index, f"checkpoint {size} is not signed by the log's key for its origin")
        return int(size), b64decode(root, validate=True)


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument("--log-key", type=Path)
    parser.add_argument("--witness", type=Path)
    given = parser.parse_args(words)
    export, index, reason = Export(given.folder), None, ""
    try:
        export.begin(given.log_key, given.witness)
        export.walk()
        export.files()
    except Bad as error:
        index, reason = error.args
    except Exception as error:  # whatever cannot be read, or bears a signature that does not hold, is bad
        index = export.index if export.index != export.size else None  # all leaves held
        reason = f"{type(error).__name__} {error}"
    status = "bad" if reason else "unanchored" if export.anchored is None else "anchored"
    found = {"status": status, "size": export.index, "root": b64encode(export.root()).decode()}
    found |= {"first_bad": index, "last_good_checkpoint": export.good, "anchored_size": export.anchored}
    found |= {"reason": reason, "checked": export.done, "own_keys": bool(given.log_key and given.witness)}
    print(json.dumps(found, indent=1))
    return {"anchored": 0, "unanchored": 3, "bad": 1}[status]


if __name__ == "__main__":
    sys.exit(main())

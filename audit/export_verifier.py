"""Verify an export of the exchange log without the gateway: Python 3.11 or newer and the package `cryptography`.

python verify.py [FOLDER] [--log-key log.pub] [--witness witness.vkey] prints JSON. Exit code 0: whole, witnessed;
3: whole, not witnessed; 1: changed. Without the options the keys are those in the export: compare them with your own.
Here is what is signed: tree, checkpoints, manifest. What the leaves say is looked at in export_leaves.py.
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

sys.dont_write_bytecode = True  # nothing is added to the export
if __package__:
    from audit.export_leaves import ERASED, NOTE, PLACE, Leaves, instant, need, read, same, sha256, write
else:
    sys.path.append(str(Path(__file__).resolve().parent))  # `python -I` does not look there
    from export_leaves import ERASED, NOTE, PLACE, Leaves, instant, need, read, same, sha256, write  # type: ignore[import-not-found,no-redef]

FORM = "spolis-gateway log export v1"
MEMBERS = "environment files form from frontier made_at origin pending retention root size strays values"


class Export:
    def __init__(self, folder: Path) -> None:
        self.folder, self.index, self.size = folder, 0, 0
        self.at: int | None = None  # the index to name if something does not hold now
        self.good: int | None = None
        self.anchored: int | None = None
        self.subtrees: list[bytes] = []
        self.leaves = Leaves({}, 0)

    def begin(self, log_key: Path | None, witness: Path | None) -> None:
        folder, self.manifest = self.folder, json.loads((self.folder / "manifest.json").read_bytes())
        pem = (log_key or folder / "keys" / "log.pub").read_text().strip().split("\n")
        self.key = b64decode("".join(pem[1:-1]), validate=True)[12:]  # the bytes before say: Ed25519
        self.signer = Ed25519PublicKey.from_public_bytes(self.key)
        vkey = (witness or folder / "keys" / "witness.vkey").read_text().strip()
        self.witness, key_id, text = (vkey or "++").split("+", 2)
        typed = b64decode(text, validate=True)
        self.witness_id, self.witness_key = sha256(self.witness.encode(), b"\n", typed)[:4], typed[1:]
        need(not vkey or (self.witness_id.hex(), typed[:1]) == (key_id, b"\4"), "the witness's key is none")
        self.start, self.size = self.manifest["from"], self.manifest["size"]
        self.origin = self.manifest["origin"] if self.start else ""
        self.logs = {self.origin}
        self.subtrees = list(map(b64decode, self.manifest["frontier"])) if self.start else []
        self.leaves = Leaves(self.manifest, self.start)

    def files(self) -> None:
        """The log's key says that the manifest is of this log, and of every file here and no other."""
        manifest, signature = self.manifest, (self.folder / "manifest.sig").read_bytes()
        message = f"{FORM}\0".encode() + (self.folder / "manifest.json").read_bytes()
        self.signer.verify(b64decode(signature, validate=True), message)
        need((sorted(manifest), manifest["form"]) == (MEMBERS.split(), FORM), "the manifest has another form")
        instant(manifest["made_at"])
        of = manifest["environment"], manifest["root"]
        need(of == (self.origin.split("/")[1], b64encode(self.root()).decode()), "it is of another log")
        tables = ["records", "queue", *([] if self.start else ["values", "cosignatures"])]
        none = manifest["strays"] == dict.fromkeys(tables, 0) and type(manifest["values"]) is bool
        need(none and write(manifest["pending"]).isdigit(), "the manifest counts wrongly")
        need(self.start or [manifest["origin"], *manifest["frontier"]] == [""], "something before the log")
        listed = {each["path"]: (each["bytes"], each["sha256"]) for each in manifest["files"]}
        paths = (path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file())
        odd = {path.as_posix() for path in paths} ^ listed.keys() ^ {"manifest.json", "manifest.sig"}
        need(not odd, f"{min(odd, default='')} is missing or no part of the export")
        for name, told in listed.items():
            with (self.folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                need((file.tell(), digest) == told, f"{name} is not the file that was exported")

    def lines(self, name: str) -> Iterator[str]:
        packed = self.folder / f"{name}.gz"
        with gzip.open(packed) if packed.exists() else (self.folder / name).open("rb") as file:
            for line in file:  # what is not UTF-8 is refused where the line is read
                yield line[:-1].decode(errors="surrogateescape") if line.endswith(b"\n") else ""

    def walk(self) -> None:
        """Every leaf in order, with its place in the tree, its values, and the checkpoints over it."""
        values = self.lines("values.jsonl") if self.manifest["values"] else iter([])
        self.leaves.begin(self.lines("leaves.jsonl"), values, self.lines("erasures.jsonl"))
        self.at = self.index = self.start
        names = ("checkpoints.jsonl", "erasures.jsonl", "tree.jsonl", "leaves.jsonl")
        self.notes, erasures, places, leaves = map(self.lines, names)
        checkpoint = None
        if self.start:
            begun = self.checkpoint() == (self.start, self.root())
            need(begun and len(self.subtrees) == self.start.bit_count(), "the subtrees at the beginning")
        for _, line in zip(range(self.start, self.size), leaves, strict=False):
            place = read(next(places, ""), PLACE, ERASED)
            hashed = sha256(b"\0", line.encode())
            right = same(place["index"], self.index) and place["hash"] == hashed.hex()
            need(right, "the record is missing, or is not the one that the tree has")
            leaf = self.leaves.leaf(self.index, line)
            if leaf["kind"] == "origin" or not self.index:
                self.begun(leaf)
            if leaf["kind"] == "erasure":
                stated = write({"index": self.index, "leaf": line})
                need(next(erasures, "") == stated, "the erasures are not those of the leaves")
            self.leaves.held(self.index, leaf, place)
            checkpoint = checkpoint or self.checkpoint()
            named = same(place["checkpoint"], checkpoint[0]) and checkpoint[0] > self.index
            need(named, "the tree names another checkpoint than the next one")
            number = self.index
            while number & 1:
                hashed, number = sha256(b"\1", self.subtrees.pop(), hashed), number >> 1
            self.subtrees.append(hashed)
            self.index += 1
            if self.index == checkpoint[0]:
                self.at = self.good or self.start
                need(self.root() == checkpoint[1], f"another root than that signed at {self.index}")
                self.good, checkpoint = self.index, None
            self.at = self.index
        more = [*leaves, *places, *self.notes, *erasures, *values, *self.leaves.value]
        need(self.index == self.size and not checkpoint and not more, "lines are missing, or too many")
        need(not any(self.manifest["strays"].values()), f"rows of nothing: {self.manifest['strays']}")
        self.at = None

    def begun(self, leaf: dict[str, Any]) -> None:
        """The log begins with this leaf, or goes on under a new name after all that was signed under the old one."""
        need(leaf["kind"] == "origin", "no origin at the beginning")
        ours = leaf["public_key"] == b64encode(self.key).decode() and leaf["log"] == leaf["exchange"]
        need(ours and leaf["environment"] in ("test", "production"), "the log is of another key, or no log")
        tree = {"log": self.origin, "root": b64encode(self.root()).decode(), "size": self.index}
        need(write(leaf.get("continues", "")) == write(tree if self.index else ""), "another past")
        need((self.good or self.start) == self.index, "the log begins again where no checkpoint is")
        origin = f"spolis-gateway/{leaf['environment']}/{leaf['log']}"
        new = origin not in self.logs and origin.split("/")[1] == (self.origin or origin).split("/")[1]
        need(new, "the log begins again under a name that it had, or in another environment")
        self.origin = origin
        self.logs.add(origin)

    def root(self) -> bytes:
        return reduce(lambda right, left: sha256(b"\1", left, right), reversed(self.subtrees or [sha256()]))

    def checkpoint(self) -> tuple[int, bytes]:
        """Size and root of the next checkpoint, signed by the log; the witness's signatures must hold too."""
        line, ours = read(next(self.notes, ""), NOTE), 0
        text, _, under = line["note"].partition("\n\n")
        (origin, size, root), (*signatures, end) = text.split("\n"), under.split("\n")
        log_id, message = sha256(f"{origin}\n\1".encode(), self.key)[:4], f"{text}\n".encode()
        for dash, name, blob in (each.split(" ") for each in signatures):
            signature = b64decode(blob, validate=True)
            need(dash == "—" and b64encode(signature).decode() == blob, "a signature in another form")
            if (name, signature[:4]) == (origin, log_id):
                self.signer.verify(signature[4:], message)
                ours += 1
            elif (name, signature[:4]) == (self.witness, self.witness_id):
                stamp = f"cosignature/v1\ntime {int.from_bytes(signature[4:12])}\n".encode()
                Ed25519PublicKey.from_public_bytes(self.witness_key).verify(signature[12:], stamp + message)
                self.leaves.done["cosignatures"] += 1
                self.anchored = int(size)
        exact = write(line["size"]) == size and b64encode(b64decode(root)).decode() == root and not end
        need(exact and ours == 1 and origin == self.origin, f"checkpoint {size} is not of this log")
        self.leaves.done["checkpoints"] += 1
        return int(size), b64decode(root)


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument("--log-key", type=Path)
    parser.add_argument("--witness", type=Path)
    given = parser.parse_args(words)
    export, reason = Export(given.folder), ""
    try:
        export.begin(given.log_key, given.witness)
        export.walk()
        export.files()
    except Exception as error:  # whatever cannot be read, or bears a signature that does not hold, is bad
        reason = str(error) if type(error) is ValueError else f"{type(error).__name__} {error}"
    status = "bad" if reason else "unanchored" if export.anchored is None else "anchored"
    found = {"status": status, "size": export.index, "root": b64encode(export.root()).decode()}
    found |= {
        "first_bad": export.at if reason else None,
        "last_good_checkpoint": export.good,
        "anchored_size": export.anchored,
    }
    found |= {
        "reason": reason,
        "checked": export.leaves.done,
        "own_keys": bool(given.log_key and given.witness),
    }
    print(json.dumps(found, indent=1))
    return {"anchored": 0, "unanchored": 3, "bad": 1}[status]


if __name__ == "__main__":
    sys.exit(main())

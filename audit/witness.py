"""What a witness does: it cosigns a checkpoint only if that goes on from the last one it has cosigned of the same log.

All that it keeps of a log is that last checkpoint. It is on the disk before its cosignature leaves, and it is read,
compared and replaced under a lock that holds for every process on this machine, so that at no moment, killed or not,
two histories of one log have its signature.
Source: C2SP tlog-witness.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit import checkpoint, notes
from audit.checkpoint import Checkpoint
from audit.merkle import EMPTY_ROOT, verify_consistency
from audit.notes import COSIGNATURE, ED25519, Note, VerifierKey
from errors import ConfigurationError
from exchange import Environment, Json

TEXT = "text/plain; charset=utf-8"
SIZE = "text/x.tlog.size"

_FORM = "spolis-gateway witness v1"
_MOST_PROOF_LINES = 63
# Whoever has the key of a gateway's log can name as many logs as he likes.
_MOST_LOGS = 1000
_OLD = re.compile(r"old (0|[1-9][0-9]{0,17})")
_ORIGIN = re.compile(r"spolis-gateway/(production|test)/[0-9a-f-]{36}")

diagnostics = logging.getLogger("gateway.witness")


@dataclass(frozen=True, slots=True)
class Trusted:
    """Whose checkpoints are cosigned: logs by name and key, and gateways by the key of all their logs.

    A gateway that was restored goes on under another name with the same key; None is either environment.
    """

    logs: tuple[VerifierKey, ...] = ()
    gateways: tuple[tuple[Ed25519PublicKey, Environment | None], ...] = ()

    def keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """The keys of the log of that name; none where it is not known."""
        found = [key for key in self.logs if key.name == origin]
        if named := _ORIGIN.fullmatch(origin):
            found += [
                VerifierKey(origin, ED25519, key)
                for key, environment in self.gateways
                if environment is None or environment.value == named[1]
            ]
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the witness says: HTTP status, text, and its content type."""

    status: HTTPStatus
    text: str
    content_type: str = TEXT


class _Refused(Exception):
    """The request ends here, with this answer."""

    def __init__(self, status: HTTPStatus, text: str, content_type: str = TEXT) -> None:
        super().__init__(text)
        self.answer = Answer(status, f"{text}\n", content_type)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request to cosign: the size that the log takes for the witness's last one, the proof, the checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    tree: Checkpoint


class State:
    """The last cosigned checkpoint of each log, in one file that is replaced whole; and the witness's name."""

    def __init__(self, path: Path, written: Callable[[], None] = lambda: None) -> None:
        """`written` is called when a new state is on the disk, before anybody hears of it."""
        self.path = path
        self._written = written

    def begin(self, key: VerifierKey) -> None:
        """Write the state of a witness that has seen nothing yet."""
        self.write(key, {})

    def read(self) -> tuple[VerifierKey, dict[str, str]]:
        """The witness's key, and by log the note with its cosignature.

        Raises: ConfigurationError.
        """
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if content["form"] != _FORM:
                raise ValueError("another form")
            found = {str(name): str(note) for name, note in content["logs"].items()}
            return notes.parse_key(content["key"]), found
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(
                f"{self.path} is no state of a witness: bring it back whole, or begin with a new key and state"
            ) from error

    def write(self, key: VerifierKey, logs: Mapping[str, str]) -> None:
        """Replace the state; when this returns it outlives a loss of power."""
        content: dict[str, Json] = {"form": _FORM, "key": str(key), "logs": dict(logs)}
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=1, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._written()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Alone with the state, among the threads and the processes of this machine."""
        # Opened for each turn: a lock of flock is of the open file, so threads wait for each other too.
        descriptor = os.open(
            self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class Witness:
    """One witness: its key and name, its state, and the logs it trusts. `clock` gives seconds since 1970."""

    def __init__(
        self,
        state: State,
        key: Ed25519PrivateKey,
        trusted: Trusted,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises: ConfigurationError when the state is not there, or of another key."""
        self._state = state
        self._key = key
        self._trusted = trusted
        self._clock = clock
        self.verifier, _ = state.read()
        if self.verifier != VerifierKey(self.verifier.name, COSIGNATURE, key.public_key()):
            raise ConfigurationError(f"{state.path} is the state of another key")

    def add_checkpoint(self, body: bytes) -> Answer:
        """Cosign the checkpoint of a request, or say why not."""
        try:
            asked = _read(body)
            self._authenticate(asked)
            with self._state.held():
                return self._cosign(asked)
        except _Refused as refused:
            return refused.answer

    def held(self) -> dict[str, str]:
        """By log the last checkpoint, as the log has signed it and this witness has cosigned it."""
        return self._state.read()[1]

    def _authenticate(self, asked: _Asked) -> None:
        keys = self._trusted.keys(asked.tree.origin)
        if not keys:
            raise _Refused(HTTPStatus.NOT_FOUND, "this witness does not know the log")
        if not asked.note.signed_by(keys):
            raise _Refused(HTTPStatus.FORBIDDEN, "no signature of a key that is trusted for the log holds")
        if asked.old > asked.tree.size:
            raise _Refused(HTTPStatus.BAD_REQUEST, "the old size is larger than the checkpoint's")

    def _cosign(self, asked: _Asked) -> Answer:
        key, logs = self._state.read()
        last = _last(logs, asked.tree.origin)
        if asked.old != last.size:
            raise _Refused(HTTPStatus.CONFLICT, str(last.size), SIZE)
        try:
            verify_consistency(last.size, last.root, asked.tree.size, asked.tree.root, asked.proof)
        except ValueError as error:
            self._told(asked, str(error))
            raise _Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        if asked.tree.origin not in logs and len(logs) >= _MOST_LOGS:
            self._told(asked, "there are too many logs")
            raise _Refused(HTTPStatus.NOT_FOUND, "this witness takes no more logs")
        line = notes.cosign(asked.note.text, key.name, self._key, int(self._clock())).line()
        keys = self._trusted.keys(asked.tree.origin)
        theirs = [one.line() for one in asked.note.signatures if any(known.made(one) for known in keys)]
        self._state.write(key, logs | {asked.tree.origin: f"{asked.note.text}\n{''.join(theirs)}{line}"})
        return Answer(HTTPStatus.OK, line)

    def _told(self, asked: _Asked, why: str) -> None:
        """The log has signed what it asks for: where it does not hold, that is evidence."""
        note = f"{asked.note.text}\n{''.join(one.line() for one in asked.note.signatures)}"
        diagnostics.warning("not cosigned: %s: %s", why, json.dumps(note, ensure_ascii=False))


def _last(logs: Mapping[str, str], origin: str) -> Checkpoint:
    """The last checkpoint of a log; of one that was never seen, that of the empty tree."""
    if origin not in logs:
        return Checkpoint(origin, 0, EMPTY_ROOT)
    return checkpoint.read(notes.parse(logs[origin]))


def _read(body: bytes) -> _Asked:
    try:
        head, blank, note = body.decode().partition("\n\n")
        first, *lines = head.split("\n")
        old = _OLD.fullmatch(first)
        if not blank or old is None:
            raise ValueError("the request is not: old size, proof, empty line, checkpoint")
        if len(lines) > _MOST_PROOF_LINES:
            raise ValueError(f"more than {_MOST_PROOF_LINES} lines of proof")
        proof = tuple(notes.decoded_base64(line) for line in lines)
        if any(len(one) != len(EMPTY_ROOT) for one in proof):
            raise ValueError("a line of the proof is not a hash")
        parsed = notes.parse(note)
        return _Asked(int(old[1]), proof, parsed, checkpoint.read(parsed))
    except ValueError as error:  # also what is not UTF-8
        text = "the request is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise _Refused(HTTPStatus.BAD_REQUEST, text) from error

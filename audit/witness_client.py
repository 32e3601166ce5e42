"""Talks to a witness over HTTP: nothing that it says counts unless it is signed, and it never holds anybody up long.

Source: C2SP tlog-witness; a witness of ours also tells its key (`/vkey`) and all that it holds (`/checkpoints`).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from urllib3.exceptions import HTTPError

from audit import checkpoint, notes
from audit.notes import COSIGNATURE, VerifierKey
from audit.outside import WITNESS, Held
from errors import AnswerRefused, SystemTimeout, SystemUnavailable

SECONDS = 5.0

_CONNECT_SECONDS = 3.0
_MOST_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Said:
    """What a witness answered: HTTP status, content type, text."""

    status: int
    content_type: str
    text: str


class WitnessClient:
    """One witness by its address. Every method raises SystemUnavailable, SystemTimeout and AnswerRefused."""

    def __init__(self, url: str, seconds: float = SECONDS) -> None:
        self.url = url.rstrip("/")
        self._seconds = seconds

    def add_checkpoint(self, body: bytes) -> Said:
        """Ask for a cosignature."""
        return self._call("POST", "/add-checkpoint", body)

    def key(self) -> VerifierKey:
        """The key that the witness says is its own."""
        said = self._call("GET", "/vkey")
        try:
            if said.status != HTTPStatus.OK:
                raise ValueError(f"HTTP {said.status}")
            found = notes.parse_key(said.text)
            if found.kind != COSIGNATURE:
                raise ValueError("not the key of a witness")
        except ValueError as error:
            raise AnswerRefused(
                f"the witness does not tell its key: set [log] witness_key ({error})"
            ) from error
        return found

    def held(
        self, log_key: Ed25519PublicKey, witness: VerifierKey, origins: Iterable[str]
    ) -> tuple[Held, ...]:
        """Every checkpoint that the witness holds of the logs of a key; one that does not list them: of those named."""
        said = self._call("GET", "/checkpoints")
        if said.status == HTTPStatus.OK:
            texts = _listed(said.text)
        else:
            asked = (self._call("GET", f"/{_hashed(origin)}/checkpoint") for origin in origins)
            texts = [one.text for one in asked if one.status == HTTPStatus.OK]
        found = []
        for text in texts:
            try:
                note = notes.parse(text)
                tree = checkpoint.read(note)
            except ValueError as error:
                raise AnswerRefused("what the witness holds is no checkpoint") from error
            if not tree.vouched_by(log_key):
                continue  # another's log, which it witnesses too
            found.append(Held(tree, WITNESS, _instant(note, witness)))
        return tuple(found)

    def _call(self, method: str, path: str, body: bytes | None = None) -> Said:
        until = time.monotonic() + self._seconds
        try:
            with requests.Session() as session:
                session.trust_env = False
                with session.request(
                    method,
                    self.url + path,
                    data=body,
                    headers={"Accept-Encoding": "identity"},
                    timeout=(min(_CONNECT_SECONDS, self._seconds), self._seconds),
                    stream=True,
                    allow_redirects=False,
                ) as response:
                    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
                    return Said(response.status_code, content_type, _text(response, until))
        except requests.Timeout as error:
            raise SystemTimeout("the witness is silent") from error
        except (requests.RequestException, HTTPError) as error:
            raise SystemUnavailable("the witness cannot be reached") from error


def _text(response: requests.Response, until: float) -> str:
    found = b""
    # What has arrived, whenever some has: a drop now and then must not buy more time.
    while part := response.raw.read1(65536, decode_content=False):
        found += part
        if len(found) > _MOST_BYTES:
            raise AnswerRefused("the witness's answer is over the size limit")
        if time.monotonic() > until:
            raise SystemTimeout("the witness is slow")
    try:
        return found.decode()
    except UnicodeDecodeError as error:
        raise AnswerRefused("the witness's answer is not UTF-8") from error


def _instant(note: notes.Note, witness: VerifierKey) -> int:
    try:
        (instant,) = [witness.check(note.text, one) for one in note.signatures if witness.made(one)]
    except ValueError as error:
        raise AnswerRefused("what the witness holds does not bear one good signature of its key") from error
    return instant or 0


def _listed(text: str) -> list[str]:
    try:
        return [str(note) for note in json.loads(text)["checkpoints"]]
    except (ValueError, KeyError, TypeError) as error:
        raise AnswerRefused("the witness's list of checkpoints is not understood") from error


def _hashed(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()

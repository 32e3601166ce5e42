"""An edition that a system publishes at an address: a ZIP of its files, fetched when it has changed, and unpacked.

Nothing of what comes is believed: the certificate must be one for the address, no redirect is followed, bytes on the
wire, bytes unpacked and files are counted while they come, and of each name only the last part is used.
"""

from __future__ import annotations

import json
import re
import shutil
import stat
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import requests
from urllib3.exceptions import HTTPError

from config import System
from errors import InvalidRequest, SystemTimeout, SystemUnavailable

Progress = Callable[[int, int | None], None]

_CONNECT_SECONDS = 10.0
_PIECE = 1 << 20
# What a server may call a version; a longer name is as good as none.
_LONGEST_NAME = 500
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.csv", re.IGNORECASE)
_ENCRYPTED = 0x1
# The end of a ZIP: its record, and the comment behind it.
_END, _END_SIZE, _END_ZIP64, _LONGEST_COMMENT = b"PK\x05\x06", 22, b"PK\x06\x07", 65_535


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of the ZIP, bytes of all its files, of its list of files; files; seconds without a byte, and in all.

    An edition of the country has 60 MB, and 600 MB in thirty files.
    """

    packed: int = 512 * 1024 * 1024
    unpacked: int = 4 * 1024 * 1024 * 1024
    listed: int = 1024 * 1024
    files: int = 200
    silent: float = 60.0
    seconds: float = 1800.0


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Version:
    """What the server calls the version that it gave: what is sent along the next time, so that it comes once.

    `url` is where it came from: what another address calls its versions says nothing of these.
    """

    url: str
    etag: str | None
    modified: str | None

    def text(self) -> str:
        """As it is kept as the place to which the sync has come."""
        return json.dumps(asdict(self))


def version_of(kept: str | None, url: str) -> Version | None:
    """The version that is kept, where it is one of this address."""
    found = Version(**json.loads(kept)) if kept else None
    return found if found is not None and found.url == url else None


@dataclass(frozen=True, slots=True)
class Fetched:
    """An edition that was fetched and unpacked into a folder."""

    folder: Path
    version: Version


def fetch(
    system: System,
    known: Version | None,
    folder: Path,
    *,
    progress: Progress = lambda _done, _total: None,
    limits: Limits = LIMITS,
) -> Fetched | None:
    """Fetch the edition into an empty folder, and unpack it; None where the server says it is the version known.

    `progress` hears the bytes that have come, of how many. The caller removes the folder.
    Raises: SystemUnavailable, SystemTimeout: another try may do better; InvalidRequest where what came, or the way to
    it, is not to be trusted.
    """
    folder.mkdir(mode=0o700, parents=True)
    packed = folder / "edition.part"
    version = _download(system, known, packed, progress, limits)
    if version is None:
        return None
    _unpack(packed, folder, limits)
    packed.unlink()
    return Fetched(folder, version)


@contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    """A folder that is not there, also not from a process that was killed, and that is gone again at the end."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _download(
    system: System, known: Version | None, path: Path, progress: Progress, limits: Limits
) -> Version | None:
    headers = {"Accept-Encoding": "identity", "User-Agent": "spolis-gateway"}
    if known is not None and known.etag:
        headers["If-None-Match"] = known.etag
    if known is not None and known.modified:
        headers["If-Modified-Since"] = known.modified
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.get(
                system.edition_url,
                headers=headers,
                timeout=(_CONNECT_SECONDS, limits.silent),
                stream=True,
                allow_redirects=False,
                verify=str(system.edition_trust) if system.edition_trust is not None else True,
            ) as response:
                if response.status_code == requests.codes.not_modified and known is not None:
                    return None
                _see_that_it_is_whole(response)
                _save(response, path, progress, limits)
                return Version(system.edition_url, _name(response, "ETag"), _name(response, "Last-Modified"))
    except requests.exceptions.SSLError as error:
        raise SystemUnavailable("the certificate of the edition's address is not believed") from error
    except requests.Timeout as error:
        raise SystemTimeout("the edition") from error
    except (requests.RequestException, HTTPError) as error:
        raise SystemUnavailable("the edition did not come whole") from error


def _see_that_it_is_whole(response: requests.Response) -> None:
    if 300 <= response.status_code < 400:
        raise InvalidRequest(
            f"the address of the edition leads elsewhere (HTTP {response.status_code}); none is followed"
        )
    if response.status_code != requests.codes.ok:
        raise SystemUnavailable(f"HTTP {response.status_code} for the edition")
    # Not asked for, so it is not undone.
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise InvalidRequest("the edition came with a Content-Encoding")


def _save(response: requests.Response, path: Path, progress: Progress, limits: Limits) -> None:
    said = response.headers.get("Content-Length", "")
    total = int(said) if said.isascii() and said.isdigit() else None
    until, size = time.monotonic() + limits.seconds, 0
    with path.open("wb") as file:
        # What has come by now, so that bytes that drip do not put off the end of the time.
        while piece := response.raw.read1(_PIECE, decode_content=False):
            size += len(piece)
            if size > limits.packed:
                raise InvalidRequest(f"the edition has more than {limits.packed} bytes")
            if time.monotonic() > until:
                raise SystemTimeout("the edition")
            file.write(piece)
            progress(size, total)


def _name(response: requests.Response, header: str) -> str | None:
    value = response.headers.get(header)
    return value if value and len(value) <= _LONGEST_NAME else None


def _unpack(packed: Path, folder: Path, limits: Limits) -> None:
    """Raises: InvalidRequest, before anything is written for what the list of files shows, else while it is."""
    try:
        with packed.open("rb") as file:
            _see_that_the_list_is_short(file, limits)
            with zipfile.ZipFile(file) as archive:
                wanted = _wanted(archive.infolist(), limits)
                left = limits.unpacked
                for name, member in wanted.items():
                    with archive.open(member) as source, (folder / name).open("xb") as target:
                        left = _copy(source, target, left)
    except (InvalidRequest, OSError):
        raise
    except Exception as error:  # the library, and what undoes its compressions, raise no common kind
        raise InvalidRequest("the edition is no ZIP that can be read, or broken") from error


def _see_that_the_list_is_short(file: IO[bytes], limits: Limits) -> None:
    """Before the library reads all of the list into memory, as long as its sender made it."""
    size = file.seek(0, 2)
    file.seek(max(size - _END_SIZE - _LONGEST_COMMENT - 20, 0))
    tail = file.read()
    at = len(tail) - _END_SIZE if tail[-_END_SIZE:].startswith(_END) else tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise InvalidRequest("the edition is no ZIP, or not whole")
    count, listed = struct.unpack_from("<HI", tail, at + 10)
    if _END_ZIP64 in tail[:at] or count > limits.files or listed > limits.listed:
        raise InvalidRequest(f"the edition lists more than {limits.files} files")
    file.seek(0)


def _wanted(members: list[zipfile.ZipInfo], limits: Limits) -> dict[str, zipfile.ZipInfo]:
    """The CSV files of an archive by the last part of their names. Raises: InvalidRequest."""
    if len(members) > limits.files:
        raise InvalidRequest(f"the edition has more than {limits.files} files")
    found: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        parts = member.filename.replace("\\", "/").split("/")
        if member.filename.startswith(("/", "\\")) or ".." in parts or ":" in member.filename:
            raise InvalidRequest("a name in the edition leads out of its folder")
        if not parts[-1].lower().endswith(".csv"):
            continue  # a folder, a description
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or member.flag_bits & _ENCRYPTED:
            raise InvalidRequest("the edition holds something else than plain files")
        # Others take as much memory as their sender likes.
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InvalidRequest("the edition is compressed in another way than by deflate")
        name = parts[-1].lower()
        if not _NAME.fullmatch(name) or name in found:
            raise InvalidRequest("a name in the edition is no file name, or is there twice")
        found[name] = member
    if sum(member.file_size for member in found.values()) > limits.unpacked:
        raise InvalidRequest(f"the edition has more than {limits.unpacked} bytes unpacked")
    return found


def _copy(source: IO[bytes], target: IO[bytes], left: int) -> int:
    """What is left of the bytes that may be unpacked; what a file says of its own size is not relied on."""
    while piece := source.read(_PIECE):
        left -= len(piece)
        if left < 0:
            raise InvalidRequest("the edition has more bytes than it says")
        target.write(piece)
    return left

"""A listener on a Unix socket, for a proxy on the same host that ends TLS.

Who may connect is what the file says: mode 0660, so the account of the gateway and its group.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from errors import ConfigurationError

_MODE = 0o660
# What `struct sockaddr_un` takes on Linux, without the NUL at its end.
_MOST_BYTES = 107
_PROBE_SECONDS = 1.0


def bind(name: str, path: Path, backlog: int) -> socket.socket:
    """Bind and listen; the file of a process that has ended is replaced, that of a running one is not.

    Raises: ConfigurationError when the path is too long, is no socket or is in use, or cannot be made.
    """
    length = len(os.fsencode(path))
    if length > _MOST_BYTES:
        raise ConfigurationError(
            f"[listen.{name}] socket: a path of {length} bytes, and a Unix socket takes {_MOST_BYTES}: "
            f"choose a shorter one, such as /run/spolis-gateway/{name}.sock"
        )
    try:
        with _alone(path.parent):
            _clear(name, path)
            bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                bound.bind(str(path))
                # Before it listens nobody gets in, so nobody does under a looser mode.
                path.chmod(_MODE)
                bound.listen(backlog)
            except OSError:
                bound.close()
                raise
    except OSError as error:
        raise ConfigurationError(f"[listen.{name}] socket {path}: {error.strerror}") from error
    return bound


def url(path: Path) -> str:
    """The address as clients of HTTP over Unix sockets write it: http+unix:// and the path, percent-encoded."""
    return f"http+unix://{quote(str(path), safe='')}"


def remove(path: Path, inode: int) -> None:
    """Take the file away when it is still the one that was made; whoever connects then goes elsewhere at once."""
    with suppress(OSError), _alone(path.parent):
        if path.lstat().st_ino == inode:
            path.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Of processes that start together, one at a time looks and binds."""
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _clear(name: str, path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigurationError(
            f"[listen.{name}] socket {path}: is there and is no socket: remove it or choose another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:  # left behind: nobody listens
            path.unlink()
            return
        except TimeoutError:  # somebody does, and is busy
            pass
    raise ConfigurationError(f"[listen.{name}] socket {path}: another process listens on it")

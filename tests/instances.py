"""Servers of a test's own: PostgreSQL and RabbitMQ that may be stopped, killed, paused, filled up and wiped.

Each has a directory and ports of its own and ends with its `with` block; the shared ones are never touched.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, Self

import psycopg
import pytest

from tests.endpoints.serving import alive, below

READY_SECONDS = 60.0
END_SECONDS = 30.0
PAUSE_SECONDS = 0.05


def unavailable(reason: str) -> NoReturn:
    """Skip the test with the reason; in continuous integration, where nothing may be skipped, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """A port below those that outgoing connections take, so that it is still free when the server starts again."""
    while True:
        port = random.randint(15000, 31999)  # noqa: S311 — nothing secret
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Tree:
    """A server: its first process and all below it, and the log that they write."""

    def __init__(
        self, command: list[str], folder: Path, environ: Mapping[str, str], account: str | None = None
    ) -> None:
        self.command = command
        self.folder = folder
        self.environ = dict(environ)
        self.account = account
        self.log = folder / f"{Path(command[0]).name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def processes(self) -> list[int]:
        """Every process of it, the first one first; none when it does not run."""
        if self._process is None or not self.running:
            return []
        return alive([self._process.pid, *below(self._process.pid)])

    def start(self, answers: Callable[[], bool], seconds: float) -> None:
        """Start it and wait until it answers."""
        assert not self.running, "it runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 — a server of this machine
                self.command,
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # an interrupt at the terminal is for the test, which then ends it
                **_as(self.account),
            )
        self._until(lambda: answers() or not self.running, seconds, "did not answer")
        if not self.running:
            raise AssertionError(f"{self._said()} ended at once")

    def stop(self, number: int, seconds: float = END_SECONDS) -> None:
        """Ask the first process to end, and wait until all have."""
        if self._process is None or not self.running:
            return
        processes = self.processes
        self.resume()
        self._process.send_signal(number)
        self._until(lambda: not self.running and not alive(processes), seconds, "did not end")

    def kill(self) -> None:
        """Every process at once, with no chance to tidy up."""
        if self._process is None or not self.running:
            return
        self._process.send_signal(signal.SIGSTOP)  # so that none is born between the listing and the blow
        processes = self.processes
        _signal(reversed(processes), signal.SIGKILL)
        self._process.wait(END_SECONDS)
        self._until(lambda: not alive(processes), END_SECONDS, "survived SIGKILL")

    def pause(self) -> None:
        """Every process stands still; connections stay open and say nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        _signal(self.processes, signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        _signal(reversed(self.processes), signal.SIGCONT)

    def _until(self, condition: Callable[[], bool], seconds: float, failure: str) -> None:
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= until:
                raise AssertionError(f"{self._said()} {failure} in {seconds:g} s")
            time.sleep(PAUSE_SECONDS)

    def _said(self) -> str:
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-25:])
        return f"{tail}\n{Path(self.command[0]).name}"


class PrivatePostgres:
    """A PostgreSQL server; with `data_size_mb` (64 at least) its data lie on a file system of that size."""

    def __init__(self, *, data_size_mb: int | None = None, seconds: float = READY_SECONDS) -> None:
        self.port = free_port()
        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"
        self._data_size_mb = data_size_mb
        self._seconds = seconds
        self._end = ExitStack()

    def __enter__(self) -> Self:
        programs = _newest("/usr/lib/postgresql/*/bin/initdb") or shutil.which("initdb")
        if programs is None:
            unavailable("no PostgreSQL server is installed")
        initdb = Path(programs).resolve()
        # PostgreSQL refuses to run as root.
        account = "postgres" if os.getuid() == 0 else None
        with ExitStack() as end:
            self._folder = end.enter_context(_folder(account))
            self._data = self._folder / "data"
            _own(self._data, account)
            if self._data_size_mb is not None:
                _mount(self._data, self._data_size_mb, end)
            environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}
            subprocess.run(  # noqa: S603 — a program of this machine
                [
                    str(initdb),
                    "-D",
                    str(self._data),
                    "-U",
                    "postgres",
                    "-A",
                    "trust",
                    "-E",
                    "UTF8",
                    "--no-sync",
                ]
                + (["--wal-segsize=1"] if self._data_size_mb else []),
                cwd=self._folder,
                env=environ,
                stdout=subprocess.DEVNULL,
                check=True,
                **_as(account),
            )
            self._tree = Tree(
                [str(initdb.with_name("postgres")), "-D", str(self._data), "-p", str(self.port)]
                + [part for setting in self._settings() for part in ("-c", setting)],
                self._folder,
                environ,
                account,
            )
            end.callback(self._leave)
            self.start()
            self._end = end.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()

    def start(self) -> None:
        self._tree.start(self._answers, self._seconds)

    def stop(self) -> None:
        """The fast shutdown: open transactions are rolled back, sessions ended."""
        self._tree.stop(signal.SIGINT)

    def kill(self) -> None:
        self._tree.kill()

    def pause(self) -> None:
        self._tree.pause()

    def resume(self) -> None:
        self._tree.resume()

    def fill_disk(self) -> None:
        """Take what is left of the small file system, so that the next write finds none."""
        assert self._data_size_mb is not None, "only with data_size_mb"
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:  # full, at this size of step
                    continue

    def free_disk(self) -> None:
        """Undo `fill_disk`."""
        self._ballast.unlink()

    @property
    def taken_percent(self) -> float:
        """How much of the file system with its data is taken."""
        usage = shutil.disk_usage(self._data)
        return 100 * usage.used / usage.total

    @property
    def processes(self) -> list[int]:
        return self._tree.processes

    @property
    def log(self) -> str:
        return self._tree.log.read_text(errors="replace")

    @property
    def _ballast(self) -> Path:
        return self._data / "ballast"

    def _settings(self) -> list[str]:
        settings = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "shared_buffers=16MB",
            "max_connections=60",
        ]
        if self._data_size_mb:
            settings += ["min_wal_size=2MB", "max_wal_size=8MB"]
        return settings

    def _answers(self) -> bool:
        address = self.url.replace("postgresql+psycopg", "postgresql")
        try:
            with psycopg.connect(address, connect_timeout=2) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def _leave(self) -> None:
        try:
            self._tree.stop(signal.SIGQUIT, 10)  # no checkpoint, but its shared memory is given back
        except AssertionError:
            self._tree.kill()


class PrivateRabbit:
    """A RabbitMQ node with its own name, cookie and port mapper."""

    def __init__(self, *, seconds: float = READY_SECONDS) -> None:
        self.port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}"
        self._seconds = seconds
        self._end = ExitStack()

    def __enter__(self) -> Self:
        # Debian's wrapper on the path changes to the system's own node; the script below it does not.
        server = _newest("/usr/lib/rabbitmq/bin/rabbitmq-server") or shutil.which("rabbitmq-server")
        epmd = shutil.which("epmd")
        if server is None or epmd is None:
            unavailable("no RabbitMQ server is installed")
        with ExitStack() as end:
            self._folder = end.enter_context(_folder(None))
            mapper_port = free_port()
            environ = self._environ(mapper_port)
            cookie = self._folder / ".erlang.cookie"
            cookie.write_text(f"PRIVATE{random.getrandbits(64):X}")
            cookie.chmod(0o400)
            # Started here, since a node that finds none leaves one behind.
            mapper = Tree([epmd, "-port", str(mapper_port)], self._folder, environ)
            end.callback(mapper.kill)
            mapper.start(lambda: _accepts(mapper_port), self._seconds)
            self._tree = Tree([server], self._folder, environ)
            end.callback(lambda: self._tree.kill())
            self.start()
            self._end = end.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()

    def start(self) -> None:
        self._tree.start(self._answers, self._seconds)

    def stop(self) -> None:
        self._tree.stop(signal.SIGTERM)

    def kill(self) -> None:
        self._tree.kill()

    def pause(self) -> None:
        self._tree.pause()

    def resume(self) -> None:
        self._tree.resume()

    def wipe(self) -> None:
        """Stop it, lose all that it held, start it again."""
        self.kill()
        shutil.rmtree(self._folder / "data")
        self.start()

    @property
    def processes(self) -> list[int]:
        return self._tree.processes

    @property
    def log(self) -> str:
        return self._tree.log.read_text(errors="replace")

    def _environ(self, mapper_port: int) -> dict[str, str]:
        (self._folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n")
        (self._folder / "enabled_plugins").write_text("[].\n")
        (self._folder / "environment").touch()
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self._folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(mapper_port),
            "RABBITMQ_NODENAME": f"private{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONF_ENV_FILE": str(self._folder / "environment"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return connection.recv(1) == b"\x01"  # a method frame: connection.start
        except OSError:
            return False


def _newest(pattern: str) -> str | None:
    found = sorted(Path("/").glob(pattern.lstrip("/")), key=lambda path: (len(str(path)), path))
    return str(found[-1]) if found else None


@contextmanager
def _folder(account: str | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gateway-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if account is not None:
            shutil.chown(folder, account)
        yield folder


def _own(folder: Path, account: str | None) -> None:
    folder.mkdir(mode=0o700)
    if account is not None:
        shutil.chown(folder, account)


def _as(account: str | None) -> dict[str, Any]:
    return {} if account is None else {"user": account, "group": account, "extra_groups": []}


def _mount(folder: Path, size_mb: int, end: ExitStack) -> None:
    owner = folder.stat()
    options = f"size={size_mb}m,mode=700,uid={owner.st_uid},gid={owner.st_gid}"
    mounted = _by_root("mount", "-t", "tmpfs", "-o", options, "gateway-test", str(folder))
    if mounted.returncode:
        unavailable(f"a small file system needs root: {mounted.stderr.strip()}")
    end.callback(_by_root, "umount", "--lazy", str(folder))


def _by_root(*command: str) -> subprocess.CompletedProcess[str]:
    words = command if os.getuid() == 0 else ("sudo", "-n", *command)
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 — fixed words
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(words, 1, "", str(error))


def _signal(processes: Iterable[int], number: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True

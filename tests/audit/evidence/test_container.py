"""A container of evidence: what is in it, that foreign programs find it whole, and that none of it can be changed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Engine, delete

import config
from audit import Archive, evidence
from audit.tables import archive_payloads
from errors import Busy, NotFound
from exchange import new_id, utc_now
from security.keys import Identity, new_keys
from tests.audit.logs import KEY, exchange, fill, open_log, sequence
from tests.instances import unavailable
from tests.security.messages import Recipe, make

BESIDE = Path(evidence.__file__).parent
SIGNED_PROPERTIES = "http://uri.etsi.org/01903/v1.3.2#:SignedProperties"


@dataclass(frozen=True)
class Made:
    engine: Engine
    archive: Archive
    found: evidence.Collected
    path: Path
    folder: Path
    authority: Path


@pytest.fixture
def made(engine: Engine, tmp_path: Path) -> Made:
    """A container of one exchange amid others, with a message that the gateway's own key has signed."""
    settings = replace(config.load({}), state=tmp_path / "state")
    new_keys(settings.keys, [])
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (settings.keys / "log.pub").write_bytes(public)
    gateway = Identity.load(settings.keys / "gateway.pem", settings.keys / "gateway.key")
    log, archive = open_log(engine), Archive(settings)
    entries = exchange()
    bodies = {"request": make(Recipe(gateway)), "sent-1": b"<asked/>", "reply": b'{"record":null}'}
    digests = {name: hashlib.sha256(body).hexdigest() for name, body in bodies.items()}
    for entry, name in zip(entries, ("request", "sent", "reply"), strict=True):
        digest = digests.get(name) or digests[f"{name}-1"]
        log.write(replace(entry, personal={**entry.personal, f"{name}_sha256": digest}))
    log.commit(lambda connection: archive.put_all(connection, entries[0].exchange_id, bodies, utc_now()))
    fill(engine)
    with engine.begin() as connection:
        found = evidence.collect(connection, archive, entries[0].exchange_id, settings.keys / "log.pub", None)
    path, folder = tmp_path / "one.asice", tmp_path / "unpacked"
    files = {**found.files, "check.py": (BESIDE / "check.py").read_bytes()}
    evidence.write(path, files, gateway, utc_now())
    with zipfile.ZipFile(path) as container:
        container.extractall(folder)
    return Made(engine, archive, found, path, folder, settings.keys / "authority.pem")


def test_a_container_holds_what_proves_the_exchange(made: Made) -> None:
    with zipfile.ZipFile(made.path) as container:
        first = container.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert container.read("mimetype") == b"application/vnd.etsi.asic-e+zip"
        manifest = container.read("META-INF/manifest.xml").decode()
    names = {path.relative_to(made.folder).as_posix() for path in made.folder.rglob("*") if path.is_file()}
    assert all(f'"{name}"' in manifest for name in names if not name.startswith(("META-INF", "mimetype")))
    assert {"messages/request.xml", "messages/sent-1.xml", "messages/reply.json"} < names
    assert {"log/records.jsonl", "log/values.jsonl", "log/checkpoint.txt", "log/log.pub"} < names
    assert len([name for name in names if name.startswith("log/proof-")]) == len(made.found.records) == 3
    assert len([name for name in names if name.startswith("certificates/")]) == 1
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert [one.values["subject"] for one in made.found.records[1:]] == ["320101-12345"] * 2


def test_foreign_programs_find_it_whole(made: Made) -> None:
    assert _seal_holds(made)
    done = _checked(made.folder)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("is in the log at") == 3
    assert done.stdout.count("is the message that the log committed to") == 3
    assert "the log signed its checkpoint" in done.stdout


def test_no_file_can_be_changed_removed_or_added(made: Made) -> None:
    for path in sorted(made.folder.rglob("*")):
        if not path.is_file() or path.name in ("mimetype", "manifest.xml"):
            continue
        before = path.read_bytes()
        if path.name == "signatures0.xml":
            path.write_bytes(before.replace(b"SigningTime>20", b"SigningTime>19", 1))
            assert not _seal_holds(made)
        else:
            path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
            assert not _seal_holds(made), path
        if path.name not in ("check.py", "signatures0.xml"):
            assert _checked(made.folder).returncode == 1, path
        path.write_bytes(before)
    (made.folder / "messages" / "received-1.xml").write_bytes(b"<added/>")
    assert _checked(made.folder).returncode == 1


def test_a_container_signed_anew_does_not_hide_a_change_from_the_log(made: Made, tmp_path: Path) -> None:
    """Whoever has a seal of his own and changes records, values or messages cannot make the log confirm them."""
    gateway = Identity.load(made.authority.parent / "gateway.pem", made.authority.parent / "gateway.key")
    for name, old, new in (
        ("log/records.jsonl", b"GetPerson", b"GetParson"),
        ("log/values.jsonl", b"320101-12345", b"320101-12346"),
        ("messages/sent-1.xml", b"asked", b"other"),
        ("log/checkpoint.txt", b"\n1", b"\n2"),
    ):
        files = {**made.found.files, "check.py": (BESIDE / "check.py").read_bytes()}
        assert old in files[name]
        files[name] = files[name].replace(old, new)
        folder = tmp_path / name.replace("/", "-")
        evidence.write(tmp_path / "forged.asice", files, gateway, utc_now())
        with zipfile.ZipFile(tmp_path / "forged.asice") as container:
            container.extractall(folder)
        assert _checked(folder).returncode == 1, name


def test_bytes_that_are_erased_leave_the_records(made: Made) -> None:
    with made.engine.begin() as connection:
        connection.execute(delete(archive_payloads))
        found = evidence.collect(
            connection, made.archive, made.found.exchange_id, made.authority.parent / "log.pub", None
        )
    assert not [name for name in found.files if name.startswith("messages/")]
    assert len(found.records) == 3


def test_there_is_no_evidence_of_nothing_nor_before_its_place(engine: Engine, tmp_path: Path) -> None:
    settings = replace(config.load({}), state=tmp_path)
    new_keys(settings.keys, [])
    log, waiting = open_log(engine), exchange()
    log.write(*waiting)
    archive = Archive(settings)
    with engine.begin() as connection:
        with pytest.raises(Busy):
            evidence.collect(connection, archive, waiting[0].exchange_id, settings.keys / "log.pub", None)
        with pytest.raises(NotFound):
            evidence.collect(connection, archive, new_id(), settings.keys / "log.pub", None)
    sequence(engine)


def _checked(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "check.py"], cwd=folder, capture_output=True, text=True, check=False
    )


def _seal_holds(made: Made) -> bool:
    xmlsec1 = shutil.which("xmlsec1") or unavailable("xmlsec1 is not installed")
    arguments = ["--verify", "--id-attr:Id", SIGNED_PROPERTIES, "--trusted-pem", str(made.authority)]
    done = subprocess.run(  # noqa: S603 — arguments of the test
        [xmlsec1, *arguments, "META-INF/signatures0.xml"],
        cwd=made.folder,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0

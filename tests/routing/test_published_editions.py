"""Editions that are fetched from an address: once, whole, from whom it is meant, never more than there is room for."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import config
import errors
from config import System
from routing.published_editions import LIMITS, Fetched, Limits, Version, emptied, fetch, version_of
from tests.adapters.test_soap_tls import Authority, serving
from tests.routing.publishing import Site, packed, publishing, written

FILES = {"aw_csv/AW_NOVADS.CSV": b"one", "aw_csv/aw_eka.csv": b"two" * 1000, "aw_csv/readme.pdf": b"x"}


@pytest.fixture(scope="module")
def site_of_all() -> Iterator[Site]:
    with publishing() as site:
        yield site


@pytest.fixture
def site(site_of_all: Site) -> Site:
    """The same server for every test, with everything as usual."""
    fresh = Site(site_of_all.url, packed(FILES))
    site_of_all.__dict__.update(fresh.__dict__)
    return site_of_all


def fetched(
    site: Site, folder: Path, known: Version | None = None, limits: Limits = LIMITS, trust: Path | None = None
) -> Fetched | None:
    system = System("", "soap", 5.0, Path(), edition_url=site.url, edition_trust=trust)
    return fetch(system, known, folder / "edition", limits=limits)


def test_the_files_of_an_edition_come_whole_and_nothing_else(site: Site, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    system = System("", "soap", 5.0, Path(), edition_url=site.url)
    found = fetch(system, None, tmp_path / "edition", progress=lambda done, total: told.append((done, total)))
    assert found is not None
    assert {path.name: path.read_bytes() for path in found.folder.iterdir()} == {
        "aw_novads.csv": b"one",
        "aw_eka.csv": b"two" * 1000,
    }
    assert found.version == Version(site.url, '"1"', None)
    assert told[-1] == (len(site.content), len(site.content))
    assert site.asked[0]["accept-encoding"] == "identity"


@pytest.mark.parametrize(("etag", "modified"), [('"7"', None), (None, "Sat, 28 Nov 2026 04:00:00 GMT")])
def test_what_has_not_changed_does_not_come_again(
    site: Site, tmp_path: Path, etag: str | None, modified: str | None
) -> None:
    site.etag, site.modified = etag, modified
    first = fetched(site, tmp_path)
    assert first is not None
    known = version_of(first.version.text(), site.url)
    assert fetched(site, tmp_path / "again", known) is None
    assert site.sent == 1
    assert fetched(site, tmp_path / "anew") is not None


def test_what_another_address_calls_its_versions_is_not_asked_here(site: Site) -> None:
    kept = Version(site.url, '"1"', None).text()
    assert version_of(kept, f"{site.url}?other") is None
    assert version_of(None, site.url) is None


def test_a_server_that_says_unchanged_unasked_is_not_believed(site: Site, tmp_path: Path) -> None:
    site.status = 304
    with pytest.raises(errors.InvalidRequest, match="304"):
        fetched(site, tmp_path)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(site: Site, tmp_path: Path, status: int) -> None:
    site.status, site.headers = status, {"Location": site.url}
    with pytest.raises(errors.InvalidRequest, match="leads elsewhere"):
        fetched(site, tmp_path)
    assert len(site.asked) == 1


@pytest.mark.parametrize("status", [204, 206, 404, 500, 503])
def test_a_server_that_has_none_now_may_have_one_later(site: Site, tmp_path: Path, status: int) -> None:
    site.status = status
    with pytest.raises(errors.SystemUnavailable, match=str(status)):
        fetched(site, tmp_path)


def test_an_edition_that_breaks_off_is_none(site: Site, tmp_path: Path) -> None:
    site.cut = 10
    with pytest.raises(errors.SystemUnavailable, match="whole"):
        fetched(site, tmp_path)


def test_bytes_that_drip_end_with_the_time_for_all_of_them(site: Site, tmp_path: Path) -> None:
    """Each comes within the time that a silence may last."""
    site.drip = 0.05
    with pytest.raises(errors.SystemTimeout):
        fetched(site, tmp_path, limits=replace(LIMITS, seconds=0.3))


def test_nobody_there(tmp_path: Path) -> None:
    nowhere = System("", "soap", 5.0, Path(), edition_url="http://127.0.0.1:1/aw_csv.zip")
    with pytest.raises(errors.SystemUnavailable):
        fetch(nowhere, None, tmp_path / "edition")


def test_a_compressed_answer_is_not_undone(site: Site, tmp_path: Path) -> None:
    site.headers = {"Content-Encoding": "gzip"}
    with pytest.raises(errors.InvalidRequest, match="Content-Encoding"):
        fetched(site, tmp_path)


MANY = {f"aw_{number}.csv": b"" for number in range(10)}


@pytest.mark.parametrize(
    ("limits", "content"),
    [
        (replace(LIMITS, packed=len(packed(FILES)) - 1), packed(FILES)),
        (replace(LIMITS, unpacked=3002), packed(FILES)),
        (replace(LIMITS, files=9), packed(MANY)),
        (replace(LIMITS, listed=100), packed(MANY)),
    ],
    ids=["on the wire", "unpacked", "files", "their list"],
)
def test_more_than_there_is_room_for_is_refused(
    site: Site, tmp_path: Path, limits: Limits, content: bytes
) -> None:
    site.content = content
    with pytest.raises(errors.InvalidRequest, match="more than"):
        fetched(site, tmp_path, limits=limits)


def test_a_file_that_lies_about_its_size_is_cut_off(site: Site, tmp_path: Path) -> None:
    """The list says three bytes, the compressed data are a million."""
    honest = packed({"aw_eka.csv": bytes(1_000_000)})
    size = (1_000_000).to_bytes(4, "little")
    assert honest.count(size) == 2
    site.content = honest.replace(size, (3).to_bytes(4, "little"))
    with pytest.raises(errors.InvalidRequest):
        fetched(site, tmp_path, limits=replace(LIMITS, unpacked=1000))
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.csv")) <= 1000


def link(archive: zipfile.ZipFile) -> None:
    made = zipfile.ZipInfo("aw_eka.csv")
    made.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(made, "/etc/passwd")


def twice(archive: zipfile.ZipFile) -> None:
    archive.writestr("a/aw_eka.csv", b"1")
    archive.writestr("b/AW_EKA.csv", b"2")


def locked() -> bytes:
    """A file that says that it is encrypted: a bit of its line in the list."""
    open_one = bytearray(packed({"aw_eka.csv": b"1"}))
    open_one[open_one.index(b"PK\x01\x02") + 8] |= 1
    return bytes(open_one)


WRONG = {
    "no zip": b"<html></html>" * 100,
    "nothing": b"",
    "half": packed(FILES)[:200],
    "its end alone": packed(FILES)[-22:],
    "another byte": packed({"aw_eka.csv": b"plain" * 9}, zipfile.ZIP_STORED).replace(b"plain", b"plAin", 1),
    "up": packed({"../aw_eka.csv": b"1"}),
    "up, the other way": packed({"a\\..\\..\\aw_eka.csv": b"1"}),
    "from the root": packed({"/aw_eka.csv": b"1"}),
    "a drive": packed({"c:aw_eka.csv": b"1"}),
    "a link": written(link),
    "twice": written(twice),
    "no file name": packed({"aw\neka.csv": b"1"}),
    "another compression": packed({"aw_eka.csv": b"1"}, zipfile.ZIP_LZMA),
    "locked": locked(),
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_what_is_no_edition_leaves_nothing_outside_its_folder(
    site: Site, tmp_path: Path, content: bytes
) -> None:
    site.content = content
    folder = tmp_path / "within"
    with pytest.raises(errors.InvalidRequest):
        fetched(site, folder)
    assert [path.name for path in tmp_path.iterdir()] == ["within"]
    assert [path.name for path in folder.iterdir()] == ["edition"]
    with emptied(folder / "edition"):
        assert list(folder.iterdir()) == []


def test_the_certificate_must_be_one_for_the_address(tmp_path: Path) -> None:
    right = Authority(tmp_path, "right")
    with publishing(serving(right.server("server"))) as site:
        site.content = packed(FILES)
        assert fetched(site, tmp_path / "trusted", trust=right.file) is not None
        for folder, trust in (("public", None), ("stranger", Authority(tmp_path, "other").file)):
            with pytest.raises(errors.SystemUnavailable, match="certificate"):
                fetched(site, tmp_path / folder, trust=trust)
        assert len(site.asked) == 1
        site.url = site.url.replace("localhost", "127.0.0.1")
        with pytest.raises(errors.SystemUnavailable, match="certificate"):
            fetched(site, tmp_path / "address", trust=right.file)


def settings(tmp_path: Path, edition: str) -> System:
    (tmp_path / "gateway.toml").write_text(f'[systems.vzd]\nedition = "{edition}"\n', encoding="utf-8")
    return config.load({"GATEWAY_CONFIG": str(tmp_path)}).systems["vzd"]


@pytest.mark.parametrize(
    "address", ["https://data.example/aw_csv.zip", "http://127.0.0.1:8/aw.zip", "http://[::1]/aw.zip"]
)
def test_an_edition_is_named_by_an_address(tmp_path: Path, address: str) -> None:
    found = settings(tmp_path, address)
    assert (found.edition, found.edition_url, found.publishes) == (None, address, True)


@pytest.mark.parametrize(
    "address", ["http://data.example/aw_csv.zip", "https://", "http://127.0.0.1.example/x"]
)
def test_without_tls_only_this_machine_is_asked(tmp_path: Path, address: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="https://"):
        settings(tmp_path, address)


def test_an_edition_is_named_by_a_folder(tmp_path: Path) -> None:
    found = settings(tmp_path, "editions")
    assert (found.edition, found.edition_url) == (tmp_path / "editions", "")
    assert not settings(tmp_path, "").publishes

"""Lines of diagnostics: one for each event, in order, without codes and without what exceptions say."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import config
from config import TelemetrySettings
from errors import ConfigurationError
from exchange import new_id
from security.keys import new_keys
from telemetry import about, exchange_lines, start_diagnostics
from telemetry.masking import MASK, masked
from tests.steps.wired import Door, Wire, arrive, leaves, wired

CODE = "390101-12345"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """What a test sets up for the process is taken back."""
    root = logging.getLogger()
    handlers, level, hook = list(root.handlers), root.level, sys.excepthook
    thread_hook = threading.excepthook
    # A step of an exchange that another test took by itself named the exchange and never ended it.
    with exchange_lines():
        yield
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hook, thread_hook


def started(form: str) -> io.StringIO:
    stream = io.StringIO()
    start_diagnostics(TelemetrySettings(form, ""), stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a 390101-12345 b", "a … b"),
        ("39010112345", MASK),
        ("code=390101.12345,", "code=…,"),
        ("PK39010112345x", "PK…x"),
        ("390101 12345", MASK),
        ("1234567890", "1234567890"),
        ("123456789012", "123456789012"),
        ("2026-11-23T08:37:00.123456Z", "2026-11-23T08:37:00.123456Z"),
        ("0190f3a2-1111-7111-8111-12345678901a", "0190f3a2-1111-7111-8111-12345678901a"),
        ("12345678-9012-7345-8123-123456789012", "12345678-9012-7345-8123-123456789012"),
    ],
)
def test_what_looks_like_a_code_is_masked(text: str, clean: str) -> None:
    assert masked(text) == clean


def test_it_is_masked_however_deep_it_lies() -> None:
    class Odd:
        def __str__(self) -> str:
            return f"Odd({CODE})"

    value = {"a": [CODE, {"b": (CODE, 7, 1.5, None, True)}], "c": 39010112345, "d": Odd()}
    assert masked(value) == {"a": [MASK, {"b": [MASK, 7, 1.5, None, True]}], "c": MASK, "d": "Odd(…)"}


def test_every_id_of_an_exchange_stays_whole() -> None:
    for _ in range(2000):
        text = f"exchange {new_id()}, {uuid.uuid4()}"
        assert masked(text) == text


def test_json_has_the_same_fields_in_every_line() -> None:
    stream = started("json")
    logging.getLogger("gateway.work").warning("%s fails: %s", "sequencer", CODE)
    logging.getLogger("a.library").error("said\nin two lines", extra={"ignored": CODE})
    logging.getLogger("a.library").info("nobody asked")
    first, second = lines(stream)
    assert list(first) == ["instant", "level", "logger", "event"]
    assert first["event"] == "sequencer fails: …"
    assert (first["level"], first["logger"]) == ("warning", "gateway.work")
    assert first["instant"].endswith("Z")
    assert second["event"] == "said\nin two lines"


def test_text_is_one_line_for_each_event() -> None:
    stream = started("text")
    with exchange_lines():
        about(number := new_id())
        logging.getLogger("a.library").error("said\nin two lines")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(f"Z ERROR a.library: said ⏎ in two lines exchange_id={number}")


def test_of_an_exception_only_type_and_place_are_told() -> None:
    stream = started("json")
    try:
        raise ValueError(f"Ozola, {CODE}")
    except ValueError as error:
        try:
            raise RuntimeError("Bērziņš") from error
        except RuntimeError:
            logging.getLogger("a.library").exception("it failed")
    (line,) = lines(stream)
    assert line["error"] == "RuntimeError"
    assert line["place"][-1].endswith("test_of_an_exception_only_type_and_place_are_told")
    for secret in (CODE, "Ozola", "Bērziņš"):
        assert secret not in stream.getvalue()


def test_lines_within_an_exchange_carry_its_id_and_those_after_it_do_not() -> None:
    stream = started("json")
    log = logging.getLogger("gateway")
    with exchange_lines():
        log.warning("before it has one")
        about(number := new_id())
        log.warning("within")
    log.warning("after")
    assert [line.get("exchange_id") for line in lines(stream)] == [None, str(number), None]


def test_an_exchange_begins_and_ends_its_own_lines(database: str, tmp_path: Path) -> None:
    new_keys(tmp_path / "keys", ["pmlp"])
    settings = dataclasses.replace(config.load({}), state=tmp_path, database_url=database)
    with wired(settings, transport := Wire()) as gateway:
        transport.answers = []  # what nobody foresaw: it tells of that
        stream = started("json")
        arrive(gateway, Door())
        logging.getLogger("gateway").warning("after")
        (opened, *_) = leaves(gateway)
    assert [line.get("exchange_id") for line in lines(stream)] == [opened["exchange"], None]


def test_another_form_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"telemetry\.diagnostics"):
        started("xml")


DYING = f"""
import threading
from config import TelemetrySettings
from telemetry import start_diagnostics
start_diagnostics(TelemetrySettings("json", ""))
def fall():
    raise KeyError("{CODE}")
thread = threading.Thread(target=fall, name="one")
thread.start()
thread.join()
raise ValueError("Ozola {CODE}")
"""


def test_what_ends_a_process_or_a_thread_is_told_without_its_text() -> None:
    ended = subprocess.run(  # noqa: S603 — our own interpreter and program
        [sys.executable, "-c", DYING], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    thread, process = (json.loads(line) for line in ended.stderr.splitlines())
    assert (thread["event"], thread["error"]) == ("the thread one ends", "KeyError")
    assert (process["event"], process["error"]) == ("the process ends", "ValueError")
    assert CODE not in ended.stderr
    assert "Ozola" not in ended.stderr

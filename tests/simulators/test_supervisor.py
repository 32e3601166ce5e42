"""`gateway simulate` as a process: one line when ready, and nothing left behind however it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from errors import ConfigurationError
from simulators.population import Population
from simulators.server import Task
from simulators.supervisor import Simulators

RUN = (sys.executable, "-c", "from commands.simulate import command; command()")


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether a condition comes true in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def configuration(tmp_path: Path, keys: Path) -> dict[str, str]:
    """An environment in which the keys are there already."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "keys").symlink_to(keys)
    return {**os.environ, "GATEWAY_CONFIG": str(tmp_path)}


@pytest.fixture
def simulate(configuration: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `gateway simulate` with arguments."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603 — our own interpreter with arguments written here
            [*RUN, *arguments], env=configuration, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


Simulate = Callable[..., subprocess.Popen[str]]


def ready(process: subprocess.Popen[str]) -> dict[str, object]:
    """The line that says that all are ready."""
    assert process.stdout is not None
    line: dict[str, object] = json.loads(process.stdout.readline())
    return line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_line_when_ready_and_a_clean_end(simulate: Simulate, tmp_path: Path, number: int) -> None:
    journal = tmp_path / "journal.jsonl"
    process = simulate(
        "pmlp",
        "vzd",
        "--json",
        "--ports",
        "free",
        "--persons",
        "50",
        "--seed",
        "4",
        "--journal",
        str(journal),
    )
    line = ready(process)
    assert list(line)[:3] == ["ready", "systems", "persons"]
    assert line["ready"] is True
    assert line["persons"] == [person.code for person in Population(50, 4)][:10]
    people = line["people"]
    assert isinstance(people, list)
    assert [one["code"] for one in people[:10]] == line["persons"]
    assert "child_in_care" in people[0]["kinds"]
    systems = line["systems"]
    assert isinstance(systems, dict)
    assert set(systems) == {"pmlp", "vzd"}
    for name, url in systems.items():
        assert url.endswith(f"/{name}/v1-0")
        assert requests.get(f"{url}/_control", timeout=5).json()["mode"] == "ok"
        requests.post(url, data=b"nothing", timeout=5)
    assert {json.loads(text)["system"] for text in journal.read_text().splitlines()} == {"pmlp", "vzd"}
    pids = children(process.pid)
    assert len(pids) == 2
    process.send_signal(number)
    assert process.wait(10) == 0
    assert not any(alive(pid) for pid in pids)
    assert process.stdout is not None
    assert process.stdout.read() == ""


def test_a_killed_parent_leaves_no_simulators(simulate: Simulate) -> None:
    process = simulate("pmlp", "sais", "--json", "--ports", "free", "--persons", "20")
    ready(process)
    pids = children(process.pid)
    assert len(pids) == 2
    process.kill()
    assert eventually(lambda: not any(alive(pid) for pid in pids))


def test_help_has_an_example(simulate: Simulate) -> None:
    out, _ = simulate("--help").communicate(timeout=10)
    assert "gateway simulate --json --ports free" in out


def test_a_population_that_is_too_large_is_refused(simulate: Simulate) -> None:
    process = simulate("--persons", "3000000")
    _, err = process.communicate(timeout=10)
    assert process.returncode == 2
    assert "--persons" in err


def test_simulators_are_refused_in_production(tmp_path: Path, configuration: dict[str, str]) -> None:
    (tmp_path / "gateway.toml").write_text('[gateway]\nenvironment = "production"\n')
    done = subprocess.run(  # noqa: S603 — our own interpreter with arguments written here
        RUN, env=configuration, text=True, capture_output=True, check=False
    )
    assert done.returncode != 0
    assert "test environment only" in done.stderr


def common(keys: Path) -> Task:
    """What all simulators of a test have in common."""
    return Task("", -1, 20, 1, "", str(keys))


def test_the_configured_port_is_taken_and_another_one_where_it_is_not_free(keys: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said: list[str] = []
        with Simulators(
            {"vzd": f"http://127.0.0.1:{port}/vzd/v1-0"}, common(keys), warn=said.append
        ) as running:
            assert running.urls["vzd"] != f"http://127.0.0.1:{port}/vzd/v1-0"
            assert len(said) == 1
            free = running.urls["vzd"]
    with Simulators({"vzd": free}, common(keys), warn=said.append) as running:
        assert running.urls["vzd"] == free
        assert len(said) == 1
        assert requests.get(f"{free}?wsdl", timeout=5).status_code == 200


def test_an_address_of_another_machine_is_not_taken_for_ours(keys: Path) -> None:
    said: list[str] = []
    with Simulators(
        {"vzd": "https://vzd.example.lv:443/vzd/v1-0"}, common(keys), warn=said.append
    ) as running:
        assert running.urls["vzd"].startswith("http://127.0.0.1:")
    assert len(said) == 1


def test_a_simulator_that_ends_is_started_again_at_its_address(keys: Path) -> None:
    said: list[str] = []
    with Simulators({"vzd": ""}, common(keys), warn=said.append) as running:
        before = running.pids["vzd"]
        os.kill(before, signal.SIGKILL)

        def restarted() -> bool:
            running.keep_running()
            return running.pids["vzd"] != before

        assert eventually(restarted)
        assert requests.get(f"{running.urls['vzd']}/_control", timeout=5).json()["mode"] == "ok"
        after = running.pids["vzd"]
    assert not alive(after)
    assert len(said) == 1


def test_a_simulator_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError), Simulators({"vzd": ""}, common(tmp_path), warn=print):
        pass

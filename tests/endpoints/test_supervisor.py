"""Where the counters of a run lie."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from endpoints.supervisor import metrics_directory


def test_counters_lie_in_memory_so_that_a_full_disk_kills_nobody(tmp_path: Path) -> None:
    state, memory = tmp_path / "state", tmp_path / "memory"
    memory.mkdir()
    with metrics_directory(state, memory) as directory:
        assert Path(directory).parent == memory
    assert list(memory.iterdir()) == []
    with metrics_directory(state, tmp_path / "no such place") as directory:
        assert Path(directory).parent == state


def test_what_a_killed_run_left_is_cleared_and_a_running_one_is_not(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / f"spolis-metrics-{ended.pid}-abc"
    left.mkdir()
    (left / "counter_1.db").write_bytes(bytes(8))
    other = tmp_path / f"spolis-metrics-{os.getppid()}-abc"
    other.mkdir()
    with metrics_directory(tmp_path, tmp_path) as directory:
        assert {path.name for path in tmp_path.iterdir()} == {other.name, Path(directory).name}

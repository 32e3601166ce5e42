"""One gateway for all attacks of a module, and the line at the end that sums them up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.live import Site, site


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(Path(tmp_path_factory.mktemp("attacked"))) as made:
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """`attacks N, accepted 0; controls M, accepted M`, from what each test said of its message."""
    told = [
        property_
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for property_ in report.user_properties
    ]
    attacks = [accepted for name, accepted in told if name == "attack"]
    controls = [accepted for name, accepted in told if name == "control"]
    if attacks or controls:
        terminalreporter.write_line(
            f"attacks {len(attacks)}, accepted {attacks.count(True)}; "
            f"controls {len(controls)}, accepted {controls.count(True)}"
        )

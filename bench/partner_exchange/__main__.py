"""`make bench`: rounds of gateway, library and floor, their ratios, and whether they are good enough."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from bench.isolation import quantile
from bench.partner_exchange.contestants import Cores, Field, field
from bench.partner_exchange.load import Leg, leg, signed
from exchange import Json

RESULTS = Path(__file__).parents[1] / "results" / "latest.json"
TARGET = 1.5
NAMES = ("gateway", "library", "floor")
LEGS = (
    "partner to gateway: signed, verified",
    "gateway to PMLP: signed, verified",
    "PMLP to gateway: signed, verified",
    "gateway to partner: signed, verified",
)
COMMITS = 3
# The fastest gets so many more messages than the last time, so that time ends a leg and not a want of messages.
_SPARE = 1.3


def measured(
    run: Field, rounds: int, seconds: float, concurrency: int, step: Callable[[str], None]
) -> list[list[Leg]]:
    """The legs of every round, in the order of NAMES; a round to warm up, which does not count, comes first."""
    found: list[list[Leg]] = []
    count = 40 + 4 * concurrency
    for number in range(rounds + 1):
        step(f"round {number}: signing")
        asks = signed(run.keys, count)
        legs = []
        for contestant in run.contestants:
            step(f"round {number}: {contestant.name}")
            legs.append(leg(contestant, asks, seconds, concurrency, run.keys, run.pmlp))
        count = int(_SPARE * seconds * max(one.rate for one in legs)) + concurrency
        found.append(legs)
    return found


def figures(rounds: Sequence[Sequence[Leg]], recorded: dict[str, float]) -> dict[str, Json]:
    """What is written down: ratios by rounds and their medians, and each contestant by itself."""
    counted = rounds[1:]
    said: dict[str, Json] = {}
    for name in NAMES[1:]:
        found = [_of(legs, "gateway").rate / _of(legs, name).rate for legs in counted]
        work = [_of(legs, name).cpu_ms / _of(legs, "gateway").cpu_ms for legs in counted]
        said[f"ratio_to_{name}"] = round(statistics.median(found), 3)
        said[f"ratios_to_{name}"] = [round(ratio, 3) for ratio in found]
        said[f"cpu_ratio_to_{name}"] = round(statistics.median(work), 3)
    for name in NAMES:
        legs = [_of(round_, name) for round_ in counted]
        latencies = [latency for one in legs for latency in one.latencies_ms]
        said[name] = {
            "requests": len(latencies),
            "per_second": round(statistics.median(one.rate for one in legs), 1),
            "p50_ms": round(quantile(latencies, 0.50), 2),
            "p95_ms": round(quantile(latencies, 0.95), 2),
            "p99_ms": round(quantile(latencies, 0.99), 2),
            "cpu_ms": round(statistics.median(one.cpu_ms for one in legs), 3),
            "core_busy": round(statistics.median(one.cpu_seconds / one.seconds for one in legs), 2),
            "pmlp_busy": round(statistics.median(one.pmlp_seconds / one.seconds for one in legs), 2),
            "records_each": round(recorded[name], 3),
        }
    return said


def _of(legs: Sequence[Leg], name: str) -> Leg:
    return next(one for one in legs if one.name == name)


def table(said: dict[str, Json]) -> Table:
    """The figures as somebody reads them."""
    shown = Table("", "requests/s", "p50 ms", "p95 ms", "p99 ms", "processor ms")
    for name in NAMES:
        values = said[name]
        if isinstance(values, dict):
            columns = ("per_second", "p50_ms", "p95_ms", "p99_ms", "cpu_ms")
            shown.add_row(name, *(str(values[column]) for column in columns))
    return shown


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Of three legs each, besides one to warm up.")
@click.option("--seconds", default=5.0, show_default=True, help="Of one leg.")
@click.option("--concurrency", default=8, show_default=True, help="Partners that send at a time.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@click.option(
    "--results",
    type=click.Path(path_type=Path, dir_okay=False),
    default=RESULTS,
    help="Where the figures are written; without it bench/results/latest.json.",
)
def run(rounds: int, seconds: float, concurrency: int, as_json: bool, results: Path) -> None:
    """Measure signed partner exchanges on one core beside a library stack and a floor.

    Exit 1 where an answer was wrong, or the gateway is not 1.5 times as fast as the library stack.

    \b
    Example: python -m bench.partner_exchange --rounds 7 --seconds 10
    """
    said_to = Console(stderr=True)
    cores = Cores.here()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.sched_setaffinity(0, {cores.other})
        with (
            field(Path(folder), cores, 2 * concurrency) as found,
            Progress(
                TextColumn("{task.description:<24}"),
                BarColumn(),
                MofNCompleteColumn(),
                console=said_to,
                disable=not said_to.is_terminal,
                transient=True,
            ) as progress,
        ):
            bar = progress.add_task("", total=4 * (rounds + 1))
            legs = measured(
                found,
                rounds,
                seconds,
                concurrency,
                lambda text: progress.update(bar, description=text, advance=1),
            )
            answered = Counter[str]()
            for each in legs:
                answered.update({one.name: len(one.latencies_ms) for one in each})
            recorded = {one.name: one.recorded() / answered[one.name] for one in found.contestants}
    wrong = {name: dict(sum((_of(each, name).wrong for each in legs), Counter[str]())) for name in NAMES}
    said: dict[str, Json] = {
        "cores": 1,
        "core": cores.measured,
        "core_of_the_rest": cores.other,
        "machine_cores": os.cpu_count(),
        "legs": list(LEGS),
        "commits": COMMITS,
        "rounds": rounds,
        "seconds": seconds,
        "concurrency": concurrency,
        "key": "RSA-2048",
        "target": TARGET,
        **figures(legs, recorded),
        "wrong": {name: dict(reasons) for name, reasons in wrong.items()},
    }
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if as_json:
        click.echo(json.dumps(said, ensure_ascii=False))
    else:
        Console().print(table(said))
        click.echo(f"gateway to library {said['ratio_to_library']}, to floor {said['ratio_to_floor']}")
    ratio = said["ratio_to_library"]
    good = isinstance(ratio, float) and ratio >= TARGET and not any(wrong.values())
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    run()

"""Runs a kill test: `python -m tests.kill --help`."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy import Engine, exists, func, select

from routing.outbox import State, outbox
from tests.kill.faults import FAULTS, Fault
from tests.kill.judge import effects, judge, read
from tests.kill.load import Load
from tests.kill.report import RECOVERY_SECONDS, Result, Struck
from tests.kill.world import World, first, wait_until

SETTLE_SECONDS = 180.0
_PROGRESS_KILLS = 50
_OPEN = (State.WAITING.value, State.LEASED.value)
_earlier = outbox.alias()
_BLOCKED = exists().where(
    _earlier.c.subject_order == outbox.c.subject_order,
    _earlier.c.position < outbox.c.position,
    _earlier.c.state.in_((State.DEAD.value, State.UNKNOWN.value)),
)


class Recovery:
    """Notes, for each fault, when a request sent after its end was acknowledged and all queued before it delivered.

    What waits behind a row that only a person may move is not waited for.
    """

    def __init__(self, engine: Engine, load: Load) -> None:
        self._engine = engine
        self._load = load
        self._waiting: list[tuple[Struck, float, datetime]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def await_(self, struck: Struck) -> None:
        """The fault ends now."""
        with self._lock:
            self._waiting.append((struck, time.monotonic(), datetime.now(UTC)))

    @property
    def pending(self) -> int:
        """How many faults are not recovered from."""
        return len(self._waiting)

    def stop(self) -> None:
        """Stop looking; what has not been recovered from by now never was, for as long as was waited."""
        self._stop.set()
        self._thread.join(10)
        now = time.monotonic()
        for struck, ended, _instant in self._waiting:
            struck.unrecovered.append(now - ended)

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            found = first(
                self._engine,
                lambda connection: (
                    connection.execute(
                        select(func.min(outbox.c.queued_at)).where(outbox.c.state.in_(_OPEN), ~_BLOCKED)
                    ).scalar(),
                ),
            )
            if found is None:
                continue
            assert isinstance(found, tuple)
            oldest = found[0]
            now = time.monotonic()
            with self._lock:
                over = [
                    one
                    for one in self._waiting
                    if (oldest is None or one[2] < oldest) and one[1] < self._load.newest
                ]
                self._waiting = [one for one in self._waiting if one not in over]
            for struck, ended, _instant in over:
                struck.recovery.append(now - ended)


def run(
    world: World, kills: int, faults: list[Fault], pause: float, apart: bool, enough: threading.Event
) -> Result:
    """Strike until so many kills are done or it is `enough`, wait until all is quiet, judge."""
    engine = world.engine()
    load = Load(world)
    recovery = Recovery(engine, load)
    struck = {fault.name: Struck(fault.name, fault.kills) for fault in faults}
    weights = [fault.weight for fault in faults]
    began = time.monotonic()
    load.start()
    time.sleep(1.0)
    done = total = told = 0
    # Every kind once at least, then by chance.
    queue = list(faults) if kills >= len(faults) else []
    world.rng.shuffle(queue)
    while done < kills and not enough.is_set():
        fault = queue.pop() if queue else world.rng.choices(faults, weights)[0]
        load.during = fault.name
        fault.strike(world)
        one = struck[fault.name]
        one.runs += 1
        recovery.await_(one)
        total += 1
        done += fault.kills
        if apart:
            wait_until(lambda: not recovery.pending, SETTLE_SECONDS)
        if done // _PROGRESS_KILLS > told or sys.stderr.isatty():
            told = done // _PROGRESS_KILLS
            _tell_progress(world, f"{done}/{kills} kills", time.monotonic() - began, load, recovery, struck)
        time.sleep(world.rng.uniform(0.0, 2 * pause))
    world.misbehave("ok", 1)
    # The clients go on until what was struck last has been recovered from: a request sent after it has to be answered.
    wait_until(lambda: not recovery.pending, SETTLE_SECONDS)
    load.stop()

    def quiet() -> bool:
        open_rows = first(
            engine,
            lambda connection: (
                connection.execute(
                    select(func.count()).select_from(outbox).where(outbox.c.state.in_(_OPEN), ~_BLOCKED)
                ).scalar_one(),
            ),
        )
        return open_rows == (0,)

    wait_until(quiet, SETTLE_SECONDS)
    time.sleep(0.5)
    _tell_progress(world, f"{done}/{kills} kills", time.monotonic() - began, load, recovery, struck)
    recovery.stop()
    with engine.connect() as connection:
        kept = read(connection)
    status = world.command("audit", "verify", "--json").stdout
    verdict = judge(load.attempted, load.acknowledged, kept, effects(world.journal))
    engine.dispose()
    verified = str(json.loads(status)["status"]) if status else "not verified"
    return Result(done, total, time.monotonic() - began, list(struck.values()), verdict, load, verified)


def _tell_progress(
    world: World, kills: str, seconds: float, load: Load, recovery: Recovery, struck: dict[str, Struck]
) -> None:
    """One line of how the run stands, to standard error; on a terminal it takes the place of the one before."""
    slowest = max((back for one in struck.values() for back in one.recovery), default=0.0)
    line = (
        f"{kills} in {seconds:.0f} s, {len(load.acknowledged)} acknowledged, {len(load.failed)} failed, "
        f"{recovery.pending} not recovered from yet, slowest recovery {slowest:.1f} s, {world.taken()}"
    )
    terminal = sys.stderr.isatty()
    click.echo(f"\r{line}  " if terminal else line, nl=not terminal, err=True)


@click.command()
@click.option("--kills", type=click.IntRange(1), default=100, show_default=True, help="How many kills.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same faults.")
@click.option(
    "--database", type=click.Choice(["sqlite", "postgresql"]), default="postgresql", show_default=True
)
@click.option("--broker/--no-broker", default=True, show_default=True, help="With a RabbitMQ of its own.")
@click.option(
    "--workers", type=click.IntRange(0, 8), default=2, show_default=True, help="`gateway work` processes."
)
@click.option(
    "--hosts",
    type=click.IntRange(0, 4),
    default=0,
    show_default=True,
    help="More workers, each in a network namespace of its own that can be cut off (root).",
)
@click.option(
    "--faults", "only", default="", help="Only faults whose names hold one of these words, by commas."
)
@click.option(
    "--repeat", type=click.Choice(["", "queryable", "neither"]), default="", help="[systems.sais] repeat."
)
@click.option("--forgetful", is_flag=True, help="SAIS does not know a repeated MessageID again.")
@click.option("--viss", is_flag=True, help="SAIS is reached by way of the state integrator.")
@click.option(
    "--pause", type=float, default=0.6, show_default=True, help="Seconds between faults, on average."
)
@click.option("--apart", is_flag=True, help="Wait after each fault until it is recovered from.")
@click.option(
    "--recovery-limit",
    type=click.FloatRange(min=0.1),
    default=RECOVERY_SECONDS,
    show_default=True,
    help="Seconds that a recovery may take.",
)
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the table here too.")
@click.option("--keep", is_flag=True, help="Show what the processes wrote to standard error.")
def main(
    kills: int,
    seed: int,
    database: str,
    broker: bool,
    workers: int,
    hosts: int,
    only: str,
    repeat: str,
    forgetful: bool,
    viss: bool,
    pause: float,
    apart: bool,
    recovery_limit: float,
    markdown: Path | None,
    keep: bool,
) -> None:
    """Kill everything while clients write, and count what was lost or doubled.

    Servers, simulator and gateway are started for the run, on free ports. Exit code 1 unless nothing was lost,
    doubled, out of order or ended in two ways, no write failed for good, every fault was recovered from in time and,
    but for `--repeat neither`, nothing is left unresolved. How the run stands is told every 50 kills. Ctrl-C ends the
    striking; what was struck until then is judged.

    \b
    Examples:
      python -m tests.kill --kills 100
      python -m tests.kill --kills 30 --database sqlite --no-broker --workers 0
      python -m tests.kill --kills 50 --forgetful --repeat queryable
      python -m tests.kill --kills 10 --workers 0 --hosts 2 --faults "cut off"
    """
    world = World(
        seed=seed,
        database=database,
        broker=broker,
        workers=workers,
        forgetful=forgetful,
        repeat=repeat,
        embedded=workers + hosts == 0,
        kills=kills,
        viss=viss,
        hosts=hosts,
    )
    with world:
        words = [word.strip() for word in only.split(",") if word.strip()]
        faults = [
            fault
            for fault in FAULTS
            if fault.needs(world) and (not words or any(word in fault.name for word in words))
        ]
        if not any(fault.kills for fault in faults):
            raise click.UsageError("none of these faults kills anything")
        enough = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: enough.set())
        result = run(world, kills, faults, pause, apart, enough)
        if keep:
            click.echo((world.home / "errors.log").read_text(errors="replace"), err=True)
    if sys.stderr.isatty():
        click.echo("", err=True)
    click.echo(result.table())
    if markdown is not None:
        markdown.write_text(f"{result.table()}\n", encoding="utf-8")
    for kind, found in asdict(result.verdict).items():
        if isinstance(found, tuple) and found:
            click.echo(f"{kind}: " + "; ".join(one["what"] for one in found[:5]), err=True)
    for failure in result.load.failed[:5]:
        click.echo(f"a write failed for good: {failure}", err=True)
    wrong = result.problems(recovery_limit, left_to_persons=repeat == "neither")
    for problem in wrong:
        click.echo(f"failed: {problem}", err=True)
    click.echo(result.line())
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

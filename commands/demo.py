"""`gateway demo`: the whole job once, in front of your eyes, with proof.

Simulators and gateway run as processes of their own; persons go through all five systems as SPOLIS core would ask;
a partner calls; one call is refused, one is saved by a retry; SAIS is told of the care stays; a witness, a process of
its own too, cosigns the exchange log, which then is verified and read back.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console
from sqlalchemy import Engine, func, make_url, select

import config
from commands import demo_database, demo_report
from commands.demo_processes import Process, ended_by_signals, undisturbed, write_configuration
from commands.demo_steps import WITNESSES, Demonstration
from commands.opening import ensure_keys, open_database
from errors import ConfigurationError
from exchange import Environment, Json
from routing.parties import callers
from storage import reading

_WIDTH = 120  # of what is not read on a terminal


@click.command()
@click.option(
    "--json",
    "file",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Write the facts to FILE (- is standard output).",
)
@click.option("--persons", type=click.IntRange(1, 1000), default=40, show_default=True)
@click.option(
    "--seed",
    type=click.IntRange(1),
    default=None,
    help="Of the invented population. Default: another one for each run on the same database.",
)
@click.option("--keep", is_flag=True, help="Leave everything running until Ctrl-C, to try by hand.")
@click.pass_context
def command(ctx: click.Context, file: str | None, persons: int, seed: int | None, keep: bool) -> None:
    """Run simulators and gateway, take persons through all five systems, and verify the exchange log.

    Exit code 0 only if all of it held. The database is left for `gateway audit verify`.

    \b
    Examples:
      gateway demo
      gateway demo --persons 5 --json facts.json
      gateway demo --keep
    """
    configured = config.load()
    if configured.environment is not Environment.TEST:
        raise ConfigurationError("a demonstration runs in the test environment only")
    settings = replace(configured, database_url=demo_database.choose(configured))
    ensure_keys(settings)
    engine = open_database(settings)
    run = _earlier_runs(engine) + 1
    console = Console(stderr=file == "-", highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    # Demonstrations may run beside each other: the process id keeps their names and files apart.
    demo = Demonstration(settings, engine, console, f"demo-{run}-{os.getpid()}", seed or run, persons)
    with ended_by_signals():
        facts = _perform(demo, settings.database_url != configured.database_url, keep=keep)
    if file is not None:
        with click.open_file(file, "w", encoding="utf-8") as out:
            out.write(json.dumps(facts, ensure_ascii=False) + "\n")
    if demo.wrong:
        ctx.exit(1)


def _perform(demo: Demonstration, elsewhere: bool, *, keep: bool) -> dict[str, Json]:
    """The demonstration from start to end; what it started is ended in every case."""
    folder = demo.settings.state / demo.name
    environ = {
        **os.environ,
        "GATEWAY_CONFIG": str(folder),
        "GATEWAY_DATABASE_URL": demo.settings.database_url,
    }
    with ExitStack() as stack:
        with demo.console.status("starting the simulators"):
            write_configuration(demo.settings, folder, {})
            witness = None if demo.settings.log.witness_url else _witness(stack, environ, folder, demo)
            simulate = _started(
                stack, environ, folder, ["simulate", "--json", "--ports", "free", *demo.population]
            )
            systems = simulate.ready()["systems"]
            known = systems.items() if isinstance(systems, dict) else ()
            # The state integrator is simulated too, and no system by itself.
            urls = {name: str(url) for name, url in known if name in demo.settings.systems}
        with demo.console.status("starting the gateway"):
            if witness is not None:
                demo.follow(witness.ready())
            identity = _identity(stack, environ, folder) if keep else None
            write_configuration(demo.settings, folder, urls, identity)
            serve = _started(stack, environ, folder, ["serve", "--embedded", "--json"])
            addresses = serve.ready()
            internal, partners = str(addresses["internal"]), str(addresses["partners"])

        core = demo.register_core(internal)
        demo.run_persons(core)
        demo.run_refused(core)
        demo.run_recovered(core, urls["pmlp"])
        demo.run_partner(partners)
        with demo.console.status("telling SAIS of the care stays"):
            demo.run_deliveries()
        if not keep:
            demo.expect(serve.stop(), f"the gateway did not end by itself; see {folder}/serve.log")
            simulate.stop()
            demo.leave()
        lines, audit = demo.evidence()
        _tell(demo, lines, audit, elsewhere)
        if keep:
            # Never wrapped: what is printed is there to be copied.
            demo.console.print(
                f"\nRunning until Ctrl-C: {internal} (/api/v1), {partners} (/soap), {', '.join(urls.values())}"
                f"\n\n{demo.curl(core)}"
                f"\n\nThe console, where five invented persons can sign in by the state login:\n\n{internal}/console/",
                soft_wrap=True,
                markup=False,
            )
            _until_interrupted()
            demo.leave()
    if not demo.wrong:
        shutil.rmtree(folder)
    return demo_report.content(lines, audit)


def _witness(stack: ExitStack, environ: dict[str, str], folder: Path, demo: Demonstration) -> Process:
    """A witness of this demonstration alone, whose state lies where nothing of the gateway does."""
    state = Path(stack.enter_context(TemporaryDirectory(prefix="gateway-demo-witness-"))) / "state.json"
    key = str(demo.settings.keys / "log.pub")
    named = ["--name", f"{WITNESSES}{demo.name}", "--log", key, "--json"]
    return _started(
        stack, environ, folder, ["witness", "--listen", "127.0.0.1:0", "--state", str(state), *named]
    )


def _identity(stack: ExitStack, environ: dict[str, str], folder: Path) -> dict[str, Json]:
    """A test identity provider, in the place of the state login."""
    return _started(stack, environ, folder, ["identity", "--port", "0", "--json"]).ready()


def _started(stack: ExitStack, environ: dict[str, str], folder: Path, arguments: list[str]) -> Process:
    process = Process(arguments, environ, folder / f"{arguments[0]}.log")

    def stop() -> None:
        with undisturbed():
            process.stop()

    stack.callback(stop)
    return process


def _until_interrupted() -> None:
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        return


def _earlier_runs(engine: Engine) -> int:
    with reading(engine).begin() as connection:
        return connection.execute(
            select(func.count()).select_from(callers).where(callers.c.name.like("demo-%"))
        ).scalar_one()


def _tell(
    demo: Demonstration, lines: list[demo_report.Line], audit: dict[str, Json], elsewhere: bool
) -> None:
    say = demo.console.print
    denied = sum(line.outcome == "denied" for line in lines)
    retried = sum(line.attempts > 1 for line in lines)
    say(demo_report.table(lines))
    say(f"{len(lines)} exchanges, {denied} refused for want of a right, {retried} saved by a retry")
    say(
        f"exchange log: {audit['status']}, {audit['size']} records, {audit['pending']} pending, root {audit['root']}",
        soft_wrap=True,
    )
    say(f"witness: {audit['reason']}", soft_wrap=True)
    say(f"database: {make_url(demo.settings.database_url).render_as_string()}", soft_wrap=True)
    for wrong in demo.wrong:
        say(f"did not hold: {wrong}", style="bold red")
    if demo.wrong:
        return
    command = os.path.relpath(sys.argv[0]) if Path(sys.argv[0]).name == "gateway" else "gateway"
    if elsewhere:
        command = f"GATEWAY_DATABASE_URL={shlex.quote(demo.settings.database_url)} {command}"
    index = max((line.log_index or 0 for line in lines), default=0)
    say("\nWhat to try next:")
    for text in (
        f"{command} audit verify",
        f"{command} audit show {index}",
        f"{command} audit search --outcome denied",
        f"{command} mappings table --system vdeavk",
        f"{command} access check spolis-core sais.GetPayments --purpose care-payment --rule p12.8.3",
        f"{command} simulate {' '.join(demo.population)}      # in another terminal, then:",
        f"{command} call pmlp get-person person_code={demo.codes()[0]} --purpose social-service --rule p8",
        f"{command} demo --keep      # leaves it all running, with a curl command to try",
        f"{command} user add liga --role auditor      # one who may sign in at the console; then:",
        f"{command} serve --embedded",
    ):
        say(f"  {text}", soft_wrap=True, markup=False)
    internal = demo.settings.internal
    say(
        f"\nThe console over these data, while that serves: http://{internal.host}:{internal.port}/console/",
        soft_wrap=True,
    )

"""`gateway simulate`: stand-ins for the external systems, to try the gateway against."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

import config
from errors import ConfigurationError
from exchange import Environment, today_in_riga
from security.keys import new_keys
from simulators.kinds import kinds
from simulators.population import LARGEST, Population
from simulators.server import APPLICATIONS, Task
from simulators.supervisor import Simulators
from simulators.viss import NAME as VISS

_LISTED = 10
_DESCRIBED = 40
_LOOK_S = 0.5


@click.command("simulate")
@click.argument("systems", nargs=-1, metavar="[SYSTEM]...", type=click.Choice(sorted(APPLICATIONS)))
@click.option("--json", "as_json", is_flag=True, help="One line of JSON when all are ready.")
@click.option(
    "--journal",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append one JSON line for each request that a simulator sees.",
)
@click.option(
    "--persons",
    type=click.IntRange(1, LARGEST),
    default=1_000,
    show_default=True,
    help="Size of the population.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same people.")
@click.option(
    "--ports",
    type=click.Choice(["settings", "free"]),
    default="settings",
    show_default=True,
    help="The ports of the configured loopback addresses, or free ones.",
)
@click.option("--forgetful", is_flag=True, help="A repeated MessageID is taken for a new message.")
def command(
    systems: tuple[str, ...],
    as_json: bool,
    journal: Path | None,
    persons: int,
    seed: int,
    ports: str,
    forgetful: bool,
) -> None:
    """Run stand-ins for external systems until SIGTERM or Ctrl-C.

    Without SYSTEM all of them run. They check the signature of every request and sign every answer with test keys,
    which are made where they are missing. They hold one invented population. `viss` is the state integrator, by way of
    which all the others can be reached.

    \b
    Examples:
      gateway simulate
      gateway simulate pmlp sais --persons 100000 --seed 7
      gateway simulate --json --ports free --journal journal.jsonl

    How one misbehaves is set while it runs (modes: ok, slow, late_effect, refuse, fault, html, half, reset,
    wrong_signature, unsigned, invalid, other_answer, unknown_code, hang):

    \b
      curl -d '{"mode": "reset", "count": 2}' http://127.0.0.1:8601/pmlp/v1-0/_control
    """
    settings = config.load()
    if settings.environment is not Environment.TEST:
        raise ConfigurationError("simulators and their test keys belong to the test environment only")
    names = tuple(dict.fromkeys(systems)) or tuple(sorted(APPLICATIONS))
    new_keys(settings.keys, names)
    common = Task(
        system="",
        fd=-1,
        persons=persons,
        seed=seed,
        journal=_writable(journal) if journal else "",
        keys=str(settings.keys),
        forgetful=forgetful,
    )
    addresses = {name: system.url for name, system in settings.systems.items()} | {VISS: settings.viss.url}
    configured = {name: addresses.get(name, "") for name in names}
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Simulators(configured, common, ports=ports, warn=lambda text: click.echo(text, err=True)) as running:
        _announce(running, Population(persons, seed), as_json=as_json)
        while not stop.wait(_LOOK_S):
            running.keep_running()


def _writable(journal: Path) -> str:
    """The absolute path of the journal, which exists from now on."""
    try:
        journal.touch(mode=0o600)
    except OSError as error:
        raise ConfigurationError(f"{journal}: cannot be written") from error
    return str(journal.resolve())


def _announce(running: Simulators, population: Population, *, as_json: bool) -> None:
    today = today_in_riga()
    people = [population.person(index) for index in range(min(_DESCRIBED, len(population)))]
    if as_json:
        line = {
            "ready": True,
            "systems": running.urls,
            "persons": [person.code for person in people[:_LISTED]],
            "people": [{"code": person.code, "kinds": kinds(population, person, today)} for person in people],
        }
        click.echo(json.dumps(line))
        return
    console = Console()
    table = Table("system", "address", title="Simulators are ready")
    for name, url in running.urls.items():
        table.add_row(name, url)
    console.print(table)
    table = Table("personal code", "kinds", title=f"First of {len(population)} invented persons")
    for person in people[:_LISTED]:
        table.add_row(person.code, ", ".join(kinds(population, person, today)))
    console.print(table)
    console.print("Ctrl-C ends them. Contract: <address>?wsdl, mode: <address>/_control")

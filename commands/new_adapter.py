"""`gateway new-adapter`: every file of a new external system, from its WSDL, with a golden case that fails."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

import click

import config
import mappings.services
from commands import AS_JSON, print_json
from commands.quality import RULES
from commands.scaffold.files import System, files_of, write
from errors import ConfigurationError, InvalidRequest
from exchange import Json
from routing.register_routes import SYSTEM as REGISTERS
from storage import metadata
from wsdl import compiled
from wsdl.description import Description, describe

# Also a schema of PostgreSQL, the prefix of its tables, a part of URLs and a module in five rooms.
_NAME = re.compile(r"[a-z][a-z0-9]{1,19}")
_PORT = re.compile(r":(\d{2,5})/")
_FIRST_PORT = 8601


@click.command("new-adapter")
@click.argument("name")
@click.option(
    "--wsdl",
    "wsdl_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The WSDL as received, its schemas beside it.",
)
@click.option(
    "--table", "thing", default="", help="Keep the first operation's answers in the table NAME_TABLE."
)
@AS_JSON
def command(name: str, wsdl_file: Path, thing: str, as_json: bool) -> None:
    """Make the files of a new external system: contract, mapping, adapter, register, simulator, settings, golden case.

    The contract is looked at first, and its bytes are copied as they are. What is written is unfinished: wherever a
    person has to decide stands TODO, and `gateway check` and the golden case fail until it is gone. No file that
    exists is touched, nobody is granted anything. docs/adding-a-system.md goes through it step by step.

    \b
    Example:  gateway new-adapter iemic --wsdl ~/received/iemic.wsdl --table document
    """
    _check_name(name)
    if thing and not re.fullmatch(r"[a-z][a-z_]{1,30}", thing):
        raise InvalidRequest("--table is a name in lower case, such as document")
    described = describe(wsdl_file.resolve())
    _check_schema(described)
    files = files_of(System(name, described, thing, _free_port()), tuple(rule.name for rule in RULES))
    write(config.CHECKOUT, files)
    if as_json:
        print_json({"adapter": name, "files": list[Json](sorted(str(path) for path in files))})
        return
    for path in sorted(files):
        click.echo(path)
    click.echo(_next(name, described), err=True)


def _check_name(name: str) -> None:
    """Raises: InvalidRequest for a name that cannot be everywhere where it must be, or that something else has."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise InvalidRequest("a system is named by 2 to 20 small letters and digits, without _ or -: iemic")
    if (config.CHECKOUT / "adapters" / f"{name}.py").exists():
        raise InvalidRequest(f"adapters/{name}.py exists; nothing is written")
    taken = {
        REGISTERS,
        *mappings.services.discover(),
        *(table.schema for table in metadata.tables.values()),
        *sys.stdlib_module_names,
    }
    if name in taken:
        raise InvalidRequest(f"{name} is the name of something else here; choose another")


def _check_schema(described: Description) -> None:
    """Raises: InvalidRequest where the schemas, read from their own folder alone, do not compile."""
    folder = described.path.parent
    try:
        for path in described.schemas:
            compiled(path, within=folder)
        if described.inline is not None:
            compiled(described.path, within=folder, inline=described.inline)
    except ConfigurationError as error:
        raise InvalidRequest(error.detail) from error


def _free_port() -> int:
    """The port after the last one that a system here is reached at, for the simulator."""
    texts = [path.read_text(encoding="utf-8") for path in (config.DEFAULTS / "systems.d").glob("*.toml")]
    ports = [int(found) for text in texts for found in _PORT.findall(text)]
    return max(ports, default=_FIRST_PORT - 1) + 1


def _next(name: str, described: Description) -> str:
    return (
        f"\n{name}: {len(described.operations)} operations. Next, in this order (docs/adding-a-system.md):\n"
        f"  1. mappings/{name}.py: English names, the rule of every field; mappings/code_lists/{name}_*.csv\n"
        f"  2. registers/{name}.py: what is kept, and what makes two answers speak of the same thing\n"
        f"  3. adapters/{name}.py: what may be repeated, and the quality answers\n"
        f"  4. tests/exchanges/{name}/: a success and a fault for each operation;"
        f" pytest tests/exchanges --update writes the rest\n"
        f"  5. simulators/{name}.py, config/access.d/{name}.toml, docs/systems/{name}.md\n"
        f"  gateway keys new makes the simulator's certificate; gateway check says what is missing"
    )

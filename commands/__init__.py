"""The command line: one module per group of commands, discovered, never listed.

A module that defines a `command` becomes `gateway <module>`, and is imported only when that is asked for: what
`gateway --help` says of each is read from the sources. Every error ends here, as one line on standard error and an
exit code that scripts can use; standard output holds what was asked for, or nothing.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import pkgutil
import traceback
from importlib import metadata
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from errors import ConfigurationError, GatewayError, GatewayFailure
from exchange import Json

_JSON = "commands.json"
_HOUSE = Path(__file__).parent.parent

# The option of every command that answers a script too.
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")


class Discovered(click.Group):
    """A group whose commands are the modules of this package; a module is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        modules = (module.name for module in pkgutil.iter_modules(__path__))
        return sorted(name.replace("_", "-") for name in modules if _help(name) is not None)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        named = [click.Command(name, help=_help(name.replace("-", "_"))) for name in self.list_commands(ctx)]
        click.Group(commands=named).format_commands(ctx, formatter)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = cmd_name.replace("-", "_")
        if _help(name) is None:
            return None
        command = importlib.import_module(f"{__name__}.{name}").command
        return command if isinstance(command, click.Command) else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_JSON] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except (
            Exception
        ) as error:  # the last boundary: no stack trace leaves, an error's text may hold personal data
            ours = _ours(error)
            _report(ctx, ours)
            ctx.exit(ours.exit_code)


@click.group(cls=Discovered, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(metadata.version("spolis-gateway"), prog_name="gateway")
def cli() -> None:
    """Interoperability gateway of SPOLIS, the register system of social policy.

    \b
    Try it:   gateway demo
    Then:     gateway simulate            (in one terminal)
              gateway call pmlp get-person person_code=… --purpose social-service --rule p8
    """


def print_json(value: Json) -> None:
    """Print a value as one line of JSON on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False))


def tell(value: Json, text: str, *, as_json: bool) -> None:
    """Print what was done: for a script its value, for a person a text."""
    if as_json:
        print_json(value)
    else:
        click.echo(text)


def _help(module: str) -> str | None:
    """What the command of a module says of itself, without importing it; None where there is no command."""
    path = Path(__file__).parent / f"{module}.py"
    text = path.read_text("utf-8") if path.is_file() else ""
    if "\ndef command(" not in text:
        return None
    functions = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
    return next(ast.get_docstring(one) for one in functions if one.name == "command")


def _report(ctx: click.Context, error: GatewayError) -> None:
    if not ctx.meta.get(_JSON):
        where = f" [exchange {error.exchange_id}]" if error.exchange_id else ""
        click.echo(f"gateway: {error}{where}", err=True)
        return
    content: dict[str, Json] = {
        "code": error.code,
        "message": error.message,
        "exchange_id": str(error.exchange_id) if error.exchange_id else None,
        "retryable": error.retryable,
        "retry_after": error.retry_after,
    }
    click.echo(json.dumps(content, ensure_ascii=False), err=True)


def _ours(error: Exception) -> GatewayError:
    """An error of the tree; of an unforeseen one type and place in our own code, nothing of what it was about."""
    match error:
        case GatewayError():
            return error
        case SQLAlchemyError():
            return GatewayFailure(f"the database failed: {type(error).__name__}")
        case OSError(filename=str() | bytes()):
            return ConfigurationError(f"{os.fsdecode(error.filename)}: {error.strerror}")
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(_HOUSE)] or frames
    return GatewayError(
        f"unforeseen {type(error).__name__} at {Path(own[-1].filename).name}:{own[-1].lineno}"
    )

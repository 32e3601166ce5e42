"""What holds for every command: found without a list, explained with an example, errors in one line."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

import commands
from commands import Discovered, cli
from errors import Busy, ConfigurationError, GatewayError, NotFound, every_error

PERSON_CODE = "321234-56789"


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from leaves(found, (*path, name))
        else:
            yield (*path, name)


def test_the_version_is_told() -> None:
    result = CliRunner().invoke(cli, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("gateway, version 0.")


@pytest.mark.parametrize("path", [" ".join(path) for path in leaves(cli)])
def test_every_command_explains_itself_with_an_example(path: str) -> None:
    result = CliRunner().invoke(cli, [*path.split(), "--help"])
    assert result.exit_code == 0
    assert "Example" in result.output, path
    assert f"gateway {path.split()[0]}" in result.output, path


def test_what_the_help_lists_is_what_the_commands_say() -> None:
    context = click.Context(cli)
    told = CliRunner().invoke(cli, ["--help"]).output.split("Commands:\n")[1].splitlines()
    listed = dict(line.split(maxsplit=1) for line in told)
    assert sorted(listed) == cli.list_commands(context)
    for name, text in listed.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert text.removesuffix("...") in command.get_short_help_str(1000).replace("\n", " ")
    modules = [
        importlib.import_module(f"commands.{one.name}") for one in pkgutil.iter_modules(commands.__path__)
    ]
    defined = [one for one in modules if isinstance(getattr(one, "command", None), click.Command)]
    assert len(defined) == len(listed), "and each module with a command is found"


def test_the_help_imports_no_command() -> None:
    program = (
        "import sys; from click.testing import CliRunner; from commands import cli; "
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0; "
        "print([name for name in sys.modules if name.startswith('commands.') or name == 'gateway'])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 — our own program
    assert told.stdout == "[]\n"


def failing(error: Exception) -> click.Group:
    class Fails(Discovered):
        def list_commands(self, ctx: click.Context) -> list[str]:
            return ["fail"]

        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            @click.command()
            @click.option("--json", "as_json", is_flag=True)
            def fail(as_json: bool) -> None:  # noqa: ARG001 — the group looks at it
                raise error

            return fail

    return Fails("gateway")


@pytest.mark.parametrize("kind", list(every_error()), ids=lambda kind: str(kind.__name__))
def test_every_error_is_one_line_with_its_exit_code(kind: type[GatewayError]) -> None:
    result = CliRunner().invoke(failing(kind("a place")), ["fail"])
    assert result.exit_code == kind.exit_code != 0
    assert result.stdout == ""
    assert result.stderr.startswith(f"gateway: {kind.code}: ")
    assert result.stderr.count("\n") == 1


def test_with_json_the_error_is_json() -> None:
    result = CliRunner().invoke(failing(Busy("full", retry_after=7)), ["fail", "--json"])
    assert result.stdout == ""
    told = json.loads(result.stderr)
    assert (told["code"], told["retryable"], told["retry_after"]) == ("busy", True, 7)


def test_an_unforeseen_error_shows_neither_stack_nor_its_text() -> None:
    result = CliRunner().invoke(failing(ValueError(f"person {PERSON_CODE}")), ["fail"])
    assert result.exit_code == 1
    assert "ValueError at test_command_line.py" in result.stderr
    assert PERSON_CODE not in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("error", [ConfigurationError("x"), NotFound("y")])
def test_exit_codes_tell_whose_fault_it_is(error: GatewayError) -> None:
    assert CliRunner().invoke(failing(error), ["fail"]).exit_code == {"x": 78, "y": 2}[error.detail]


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(cli, ["no-such-thing"])
    assert result.exit_code == 2
    assert "no-such-thing" in result.stderr


def test_modules_that_are_no_commands_are_not_listed() -> None:
    listed = set(cli.list_commands(click.Context(cli)))
    assert {"call", "demo", "keys", "partner", "caller", "mappings", "access", "check"} <= listed
    assert not listed & {"rendering", "opening", "demo-core"}
    assert CliRunner().invoke(cli, ["rendering"]).exit_code == 2

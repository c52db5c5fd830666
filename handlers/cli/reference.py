"""The page of the reference about the command line, made from the commands themselves. Knows click; no command."""

import inspect
from collections.abc import Iterator

import click

_INTRODUCTION = """# Command line

Made by `vaultry docs-cli` from the commands; a test compares it. `vaultry COMMAND --help` says the same.
"""


@click.command("docs-cli", hidden=True)
@click.pass_context
def docs_cli(ctx: click.Context) -> None:
    """Print docs/reference/cli.md.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry docs-cli > docs/reference/cli.md
    """
    click.echo(page(ctx.find_root().command), nl=False)


def page(root: click.Command) -> str:
    """docs/reference/cli.md, whole."""
    return _INTRODUCTION + "".join(_chapter(names, command) for names, command in walk(root, ("vaultry",)))


def walk(command: click.Command, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The command and every visible one below it, with the words that lead there."""
    yield names, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            if not below.hidden:
                yield from walk(below, (*names, name))


def examples(command: click.Command) -> list[str]:
    """The lines of the command's examples."""
    return _parts(command)[1]


def _parts(command: click.Command) -> tuple[str, list[str]]:
    """The help text and, apart, the lines of its examples."""
    prose, _, below = inspect.cleandoc(command.help or "").partition("\b\nExample:\n")
    return prose.strip(), inspect.cleandoc(below).splitlines()


def _chapter(names: tuple[str, ...], command: click.Command) -> str:
    words = [argument.make_metavar(click.Context(command)) for argument in command.params if _is_argument(argument)]
    usage = " ".join([*names, *(["COMMAND"] if isinstance(command, click.Group) else []), *words])
    options = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
    rows = "".join(_row(option) for option in options)
    table = f"\n| option | meaning |\n|---|---|\n{rows}" if rows else ""
    return f"\n## {' '.join(names)}\n\n`{usage}`\n\n{_prose(command)}\n{table}"


def _is_argument(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Argument)


def _prose(command: click.Command) -> str:
    """The help text, examples as a block of code."""
    prose, lines = _parts(command)
    code = "\n".join(lines)
    return f"{prose}\n\n```sh\n{code}\n```"


def _row(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    value = "" if option.is_flag else f" {option.make_metavar(click.Context(click.Command(None)))}"
    default = f" Default: {option.default}." if option.show_default else ""
    required = " Required." if option.required else ""
    meaning = f"{option.help or ''}{default}{required}".replace("|", "\\|")
    return f"| {names}{value.replace('|', chr(92) + '|')} | {meaning} |\n"

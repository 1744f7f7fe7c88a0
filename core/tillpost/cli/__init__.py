"""The launcher: `tillpost COMMAND`. One file a command, loaded when it is called.

Exit codes: 0 fine, 1 something needs a person, 2 wrong usage, 78 wrong configuration (sysexits EX_CONFIG).
"""

from __future__ import annotations

import importlib
import signal
import sys
from pathlib import Path

import click

from tillpost.cli.debug import debugging, keep_texts_out, set_debugging, show_trace, to_front
from tillpost.version import __version__

COMMANDS = {
    "init": "write a commented configuration",
    "check": "examine the configuration, folders, plugins and the destination",
    "run": "deliver receipts until stopped",
    "reload": "have the running process read its configuration again",
    "accept": "put files into the journal",
    "status": "show every pipeline: destination, receipts, files, alerts",
    "metrics": "metrics of the journals, for Prometheus",
    "top": "show every store, live in the terminal",
    "day": "a store's day: till total against recorded, delivered, confirmed",
    "plan": "disk, files and catch-up time of an outage",
    "receipt": "show one receipt and its timeline",
    "receipts": "list receipts",
    "account": "where each record is that was read, as sums that agree",
    "gaps": "missing receipt numbers of a till",
    "alerts": "alerts that stand, and a test of the channels",
    "documents": "list, show, retry or discard documents that were not read",
    "held": "list, show, retry, correct, return or discard held receipts",
    "stranded": "receipts of pipelines that are no longer in the file: list, move",
    "mapping": "show what makes the payload, and release a new mapping",
    "diff": "what the current configuration would change in recent receipts",
    "contacts": "list contacts, and resolve conflicts of their keys",
    "files": "list, show or resend the fallback files",
    "replay": "send receipts of a store's days again: plan, start, list, show, stop",
    "journal": "examine, measure, export, repair, compact, back up or restore the journal",
    "bundle": "write a zip file for support, with pseudonyms",
    "plugins": "list installed plugins",
    "plugin": "start a plugin of any slot, test its promises",
    "adapter": "try an adapter on a file, show its presets",
    "sandbox": "a local Engage to try things on",
    "demo": "a day of receipts through an outage, verified",
    "drill": "rehearse an outage on the sandbox with your own configuration",
}


class _Lazy(click.Group):
    """Commands by name; a command's module is imported when it is called."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does it, and `--debug` may stand behind the command too."""
        return super().parse_args(ctx, to_front(args))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"tillpost.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table, without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path),
    default=Path("tillpost.toml"),
    show_default=True,
    envvar="TILLPOST_CONFIG",
    help="The configuration file.",
)
@click.option(
    "--debug", is_flag=True, help="Show whole tracebacks with their texts, which may quote customers; `run` logs more."
)
@click.version_option(__version__, prog_name="tillpost", message="%(prog)s, version %(version)s")
@click.pass_context
def cli(ctx: click.Context, config: Path, debug: bool) -> None:
    """Deliver sales receipts from any point of sale to Voyado Engage, and lose none.

    \b
    Examples:
      tillpost demo
      tillpost init && tillpost check && tillpost run
      tillpost receipt --number 5578 --store 12
    """
    ctx.obj = config
    set_debugging(debug)


def main() -> None:
    """Entry point: errors become one message and an exit code; where code is at fault its lines are named."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    keep_texts_out()
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:  # noqa: BLE001 - Python would print its text, which may quote a customer
        sys.exit(_report(error))


def _interrupt(*_: object) -> None:
    """Ctrl-C, told apart from a KeyboardInterrupt that a plugin raises."""
    from tillpost.errors import Interrupted

    raise Interrupted


def _report(error: Exception) -> int:
    """Print the error; return the exit code. Of one that is not ours its type and place, without the text."""
    from tillpost.errors import ConfigurationError, TillpostError, UsageError, fault_of, system_says

    if isinstance(error, ConfigurationError):
        click.echo(str(error), err=True)
    elif isinstance(error, TillpostError):
        click.echo(f"tillpost: {error}", err=True)
    elif said := system_says(error):
        click.echo(f"tillpost: {said}", err=True)
    else:
        hint = "" if debugging() else "; `tillpost --debug` shows the lines that led to it, to be reported"
        click.echo(f"tillpost: it ended with {fault_of(error)}, which is a fault of the program{hint}", err=True)
    show_trace(error)
    return 78 if isinstance(error, ConfigurationError) else 2 if isinstance(error, UsageError) else 1

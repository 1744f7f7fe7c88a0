"""`tillpost plugin test NAME|PATH`: which promises a plugin keeps, as a report to hand on."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tillpost.cli.debug import debugging
from tillpost.cli.output import json_option
from tillpost.errors import PluginError
from tillpost.terminal import plain, say

MARKS = {"kept": "kept   ", "broken": "BROKEN ", "to do": "to do  ", "waived": "waived "}


@click.command("test")
@click.argument("what", metavar="NAME|PATH")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the report here, in Markdown.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the results here, in JUnit XML.")
@click.option("--partial", is_flag=True, help="Exit code 0 while nothing is broken, whatever is still to do.")
@json_option
def command(what: str, report: Path | None, junit: Path | None, partial: bool, as_json: bool) -> None:
    """Run the promise suite of an installed plugin, or of a file or folder with one.

    Exit code 1 when a promise is broken, or its sample is to do. Needs `tillpost[testing]`.

    \b
    Examples:
      tillpost plugin test poslog
      tillpost plugin test tillpost-mytill --report report.md --junit report.xml
    """
    try:
        from tillpost.testing.run import find, run
    except ImportError as error:
        raise PluginError(what, f"cannot be tested: {error}; run pip install 'tillpost[testing]'") from error
    suites = run(find(what), junit, debugging())
    for suite in suites:
        if as_json:
            say(suite.as_json())
            continue
        click.echo(f"{suite.plugin} {suite.version}".strip())
        for each, told in suite.told():
            click.echo(f"  {MARKS[each.outcome]}{each.promise}" + (f": {each.sentence}" if not told else ""))
            for line in told.splitlines():
                click.echo(f"           {plain(line)}")
        click.echo(f"  {suite.summary()}")
        if suite.next_step():
            click.echo(f"  {suite.next_step()}")
    if report is not None:
        report.write_text("\n".join(suite.markdown() for suite in suites), encoding="utf-8")
    wrong = ("broken",) if partial else ("broken", "to do")
    sys.exit(1 if any(suite.count(outcome) for suite in suites for outcome in wrong) else 0)

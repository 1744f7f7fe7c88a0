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
@json_option
def command(what: str, report: Path | None, junit: Path | None, as_json: bool) -> None:
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
        for each in suite.results:
            click.echo(f"  {MARKS[each.outcome]}{each.promise}" + (f": {each.sentence}" if not each.detail else ""))
            for line in each.detail.splitlines():
                click.echo(f"           {plain(line)}")
        click.echo(f"  {suite.summary()}")
    if report is not None:
        report.write_text("\n".join(suite.markdown() for suite in suites), encoding="utf-8")
    sys.exit(1 if any(suite.count(outcome) for suite in suites for outcome in ("broken", "to do")) else 0)

"""`tillpost accept FILE…`: put documents into the journal, with or without a running process."""

from __future__ import annotations

import os
import sys
from errno import EINVAL, EISDIR
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import click

from tillpost.cli.output import json_option
from tillpost.cli.pipelines import opened_lines, pipeline_option, runnable_pipelines, select_pipeline
from tillpost.compose.config import load
from tillpost.errors import DocumentError, PluginError
from tillpost.flow.intake.accept import accept
from tillpost.journal import Accepted
from tillpost.model import Document
from tillpost.terminal import counted, plain, say


@click.command("accept")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, readable=False, path_type=Path))
@click.option("--new", is_flag=True, help="Begin a new journal where there was one that is gone for good.")
@pipeline_option
@json_option
@click.pass_obj
def command(file: Any, files: tuple[Path, ...], new: bool, pipeline: str | None, as_json: bool) -> None:
    """Put files into the journal; returns after the commit. Exit code 1 when something is held or cannot be read.

    A file that cannot be read is named, and the others go on.

    \b
    Examples:
      tillpost accept POSLog.xml
      tillpost accept day/*.jsonl --pipeline stores --json
    """
    config = runnable_pipelines(file, [pipeline])[0] if pipeline else load(file)
    total = Accepted()
    failed = []
    with opened_lines(config, [select_pipeline(config, pipeline)], new) as (line,):
        for path in files:
            try:
                before, document = path.stat(), _document(path)
            except OSError as error:
                failed.append(f"{path} cannot be read: {(error.strerror or '').lower()}")
                continue
            try:
                counts = accept(line, document, partial(_progress, document))
            except DocumentError as error:
                failed.append(f"{path}: {error}; it is set aside: `tillpost documents retry` reads it again")
                continue
            except PluginError as error:
                failed.append(f"{path}: {error}")
                continue
            finally:
                _progress(document, None)
            total.add(counts)
            if not path.exists() or _is_changed(before, path.stat()):
                failed.append(f"{path} changed while it was read; accept it again when it is whole")
    for message in failed:
        click.echo(f"tillpost: {plain(message)}", err=True)
    answer = {"documents": len(files), **attrs.asdict(total), "not_read": failed}
    if as_json:
        say(answer)
    else:
        click.echo(
            f"{counted(len(files), 'document')}: {total.accepted} accepted, {counted(total.duplicates, 'duplicate')},"
            f" {total.skipped} skipped, {total.ignored} ignored, {total.held} held"
        )
        for reason, count in total.reasons.items():
            click.echo(f"  {counted(count, 'record')}: {plain(reason)}")
    sys.exit(1 if failed or total.held else 0)


def _is_changed(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)


def _document(path: Path) -> Document:
    """The file as a document. Raises OSError, also for what is no file, such as a pipe that nobody writes to."""
    if path.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path))
    if not path.is_file():
        path.stat()
        raise OSError(EINVAL, "it is not a file", str(path))
    return Document.from_path(path)


def _progress(document: Document, counts: Accepted | None) -> None:
    """Show the progress of a document in one line of a terminal; None clears it."""
    if sys.stderr.isatty():
        done = ""
        if counts:
            done = f"{document.name}: {counted(counts.records(), 'record')}, {document.progress.percent()} % read"
        click.echo(f"\r\x1b[2K{plain(done)}", nl=False, err=True)

"""What the commands about an adapter are given: documents, and settings of the command line and of a pipeline."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.compose.plugins import load_plugin
from tillpost.compose.standalone import standalone_hooks
from tillpost.errors import ConfigurationError, Finding
from tillpost.flow.hook_calls import HookCalls
from tillpost.model import DEFAULT_RECIPE, Document


def document_of(path: Path) -> Document:
    """A file; a folder as one zip of its files, the same for the same files."""
    if not path.is_dir():
        return Document.from_path(path)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(each for each in path.iterdir() if each.is_file()):
            archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes(), zipfile.ZIP_DEFLATED)
    return Document.from_bytes(f"{path.resolve().name}.zip", content.getvalue())


def table_of(pipeline: PipelineConfig | None, slot: str, plugin: str) -> dict[str, Any]:
    """The settings that a pipeline has for the plugin in this slot; none without a pipeline."""
    uses = pipeline.slots if pipeline else ()
    return next((dict(use.table) for use in uses if (use.slot, use.plugin) == (slot, plugin)), {})


def adapter_hooks(name: str, given: Mapping[str, Any], pipeline: PipelineConfig | None) -> HookCalls:
    """The hooks of an adapter with these settings. Raises ConfigurationError in the words of the command line."""
    recipe = pipeline.recipe if pipeline else DEFAULT_RECIPE
    with for_the_command_line():
        return standalone_hooks(name, load_plugin(name), {"adapter": given}, folder=Path.cwd(), recipe=recipe)


@contextmanager
def for_the_command_line() -> Iterator[None]:
    """There is no file to add a missing setting to: say how it is given here."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(*map(_told, error.findings)) from error


def _told(finding: Finding) -> Finding:
    if finding.message != "is missing.":
        return finding
    setting = finding.key.removeprefix("adapter.")
    return attrs.evolve(
        finding, next_step=f"Give it with `--set {setting}=…`, or a pipeline that has it with `--pipeline`."
    )

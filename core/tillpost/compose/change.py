"""How a changed configuration file differs from what runs; compared before any pipeline is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from tillpost.compose.config import Config
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.compose.toml_lines import key_text
from tillpost.errors import Finding


@attrs.frozen(kw_only=True)
class Change:
    """Each pipeline is in one of the first four. refused: why some are left unchanged, or are not started.

    refused: (pipeline, finding); the pipeline is "" for an error outside the pipelines.
    """

    unchanged: tuple[str, ...] = ()
    changed: tuple[PipelineConfig, ...] = ()
    added: tuple[PipelineConfig, ...] = ()
    removed: tuple[str, ...] = ()
    refused: tuple[tuple[str, Finding], ...] = ()


def compare(
    running: Mapping[str, PipelineConfig], config: Config | None, findings: Sequence[Finding], names: Sequence[str] = ()
) -> Change:
    """Compare the running pipelines with what `examine` read of the file.

    A pipeline with an error is left unchanged; all are when the file has an error outside its pipelines. A pipeline has
    changed when its table has, or a secret in a file it names. names: the only pipelines of this `run`; empty: all.
    """
    refused = [(_owner(finding), finding) for finding in findings if finding.level == "error"]
    if config is None:
        return Change(unchanged=tuple(running), refused=tuple(refused))
    in_file = {path[1] for path in config.lines.by_path if path[0] == "pipelines" and len(path) > 1}
    valid = {each.name: each for each in config.pipelines if not names or each.name in names}
    refused = [(name, finding) for name, finding in refused if not names or name in names]
    removed = tuple(name for name in running if name not in in_file)
    for name in [name for name in running if name in valid and valid[name].state != running[name].state]:
        refused.append((name, _moved(config, name)))
        del valid[name]
    if not valid and len(removed) == len(running):
        message = f"{config.shown} has none of the running pipelines any more; they go on as they are."
        finding = Finding(message=message, next_step="Stop `tillpost run` to end them.")
        return Change(unchanged=tuple(running), refused=(*refused, ("", finding)))
    return Change(
        unchanged=tuple(name for name in running if name not in removed and valid.get(name) in (None, running[name])),
        changed=tuple(each for name, each in valid.items() if name in running and each != running[name]),
        added=tuple(each for name, each in valid.items() if name not in running),
        removed=removed,
        refused=tuple(refused),
    )


def _owner(finding: Finding) -> str:
    """The name of the pipeline a finding is about (a name has no dot); "" for none."""
    table, _, rest = finding.key.partition(".")
    return rest.split(".")[0].split("[")[0] if table == "pipelines" else ""


def _moved(config: Config, name: str) -> Finding:
    own = ("pipelines", name, "state")
    key = own if own in config.lines.by_path else ("tillpost", "state")
    return Finding(
        message="must stay the folder the pipeline runs on; a reload does not move a journal.",
        file=config.shown,
        line=config.lines.at(key),
        key=key_text(key),
        next_step="Change it back; or stop `tillpost run`, move the folder, and start it again.",
    )

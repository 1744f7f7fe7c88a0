"""What a changed configuration file asks of the pipelines that run: decided before any of them is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from tillpost.compose.config import Config
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.compose.toml_lines import key_text
from tillpost.errors import Finding


@attrs.frozen(kw_only=True)
class Change:
    """Each pipeline stands in one of the first four; refused: why some of them stay as they are, or do not start.

    refused: (pipeline, finding); the pipeline is "" where the file is wrong outside of them.
    """

    unchanged: tuple[str, ...] = ()
    changed: tuple[PipelineConfig, ...] = ()
    added: tuple[PipelineConfig, ...] = ()
    removed: tuple[str, ...] = ()
    refused: tuple[tuple[str, Finding], ...] = ()


def change(
    running: Mapping[str, PipelineConfig], config: Config | None, findings: Sequence[Finding], names: Sequence[str] = ()
) -> Change:
    """Compare what runs with what `examine` says of the file.

    A pipeline with an error is left as it is, and so are all when the file is wrong outside its pipelines. names: of a
    `run` that carries only these. A pipeline counts as changed when its table does, or a secret a file gave it.
    """
    refused = [(_owner(finding), finding) for finding in findings if finding.level == "error"]
    if config is None:
        return Change(unchanged=tuple(running), refused=tuple(refused))
    written = {path[1] for path in config.lines.by_path if path[0] == "pipelines" and len(path) > 1}
    sound = {each.name: each for each in config.pipelines if not names or each.name in names}
    refused = [(name, finding) for name, finding in refused if not names or name in names]
    removed = tuple(name for name in running if name not in written)
    for name in [name for name in running if name in sound and sound[name].state != running[name].state]:
        refused.append((name, _moved(config, name)))
        del sound[name]
    if not sound and len(removed) == len(running):
        message = f"{config.shown} has none of the running pipelines any more; they go on as they are."
        finding = Finding(message=message, next_step="Stop `tillpost run` to end them.")
        return Change(unchanged=tuple(running), refused=(*refused, ("", finding)))
    return Change(
        unchanged=tuple(name for name in running if name not in removed and sound.get(name) in (None, running[name])),
        changed=tuple(each for name, each in sound.items() if name in running and each != running[name]),
        added=tuple(each for name, each in sound.items() if name not in running),
        removed=removed,
        refused=tuple(refused),
    )


def _owner(finding: Finding) -> str:
    """The pipeline a finding is about; its name has no dot."""
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

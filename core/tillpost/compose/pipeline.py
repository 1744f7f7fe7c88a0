"""A pipeline: its plugins are built, registered in a pluggy manager of its own, and called in the order of the file."""

from __future__ import annotations

import inspect
import os
import random
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import attrs
import pluggy

from tillpost.clock import Clock, SystemClock
from tillpost.compose.config import Config
from tillpost.compose.pipeline_config import PipelineConfig, SlotConfig
from tillpost.compose.plugins import REPORT_PLUGIN, load_plugin
from tillpost.compose.toml_lines import KeyPath, key_text
from tillpost.errors import ConfigurationError, Finding, Interrupted, plugin_place_of
from tillpost.flow.hook_calls import Caller, HookCalls
from tillpost.flow.rate_limit.pace import Pace
from tillpost.hookspecs import Hooks
from tillpost.journal.sqlite.platform import unsuitable_folder
from tillpost.plugin import Budget, Context, Plugin, Secret, Use

HOOKS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "source": ((), ("collect_documents", "serve_documents", "retry_document", "find_taken", "probe_source")),
    "adapter": (("parse_receipts",), ()),
    "resolve": (("resolve_contact",), ("may_create_contact", "update_contact", "reconcile_contact")),
    "map": (("map_receipt",), ()),
    "amend": (("amend_payload",), ()),
    "transport": (
        ("deliver", "probe"),
        (
            "identity",
            "confirm_receipts",
            "contacts_gone",
        ),
    ),
    "fallback": (("match_in_file", "write_files"), ("import_folders",)),
    "transfer": (("transfer", "find_transferred"), ("probe_transfer",)),
    "observe": (("observe",), ()),
}
"""Slot → the hooks it must implement, and those it may. Other hooks of the object are not called in that slot."""
ONE_OF: Mapping[str, tuple[str, ...]] = {"source": ("collect_documents", "serve_documents")}
"""Slot → hooks of which it must implement at least one."""


@attrs.frozen
class Pipeline:
    """A pipeline ready to run: its configuration and its plugins' hooks."""

    config: PipelineConfig
    hooks: HookCalls
    pace: Pace
    file: Path
    """The configuration file."""
    cursor: list[Callable[[], str | None]] = attrs.field(factory=list)
    """How plugins read the cursor of the source; filled once the journal is open."""

    @property
    def workers(self) -> int:
        """How many receipts are sent by API at the same time."""
        return self.config.workers or self.pace.default_workers()


def compose(
    config: Config,
    pipeline: PipelineConfig,
    *,
    clock: Clock,
    random: random.Random,
    budget: Callable[[Secret, float], Budget],
) -> Pipeline:
    """Build the plugins of a pipeline, each once with all its uses.

    budget: gives the shared rate budget of an API key, in requests per second. Raises ConfigurationError with every
    finding of the plugins, each with file and line.
    """
    pace, cursor = Pace(budget), list[Callable[[], str | None]]()
    context = Context(
        pipeline=pipeline.name,
        folder=config.file.parent,
        state=pipeline.state,
        clock=clock,
        random=random,
        budget=pace.budget,
        recipe=pipeline.recipe,
        read_cursor=cursor,
    )
    findings: list[Finding] = []
    built: dict[KeyPath, object] = {}
    for name in dict.fromkeys(use.plugin for use in pipeline.slots):
        uses = [use for use in pipeline.slots if use.plugin == name]
        try:
            given = [Use(use.slot, use.settings) for use in uses]
            objects = build_plugin(name, load_plugin(name), given, context)
        except ConfigurationError as err:
            findings += [_with_place(finding, config, pipeline, uses) for finding in err.findings]
            continue
        built.update({use.path: each for use, each in zip(uses, objects, strict=True)})
    if findings:
        raise ConfigurationError(*findings)
    callers = register_hooks(config, pipeline, [(use, built[use.path]) for use in pipeline.slots])
    return Pipeline(pipeline, HookCalls(callers), pace, config.file, cursor)


def check_pipelines(config: Config) -> list[Finding]:
    """The second tier of `tillpost check`, offline: every plugin can be built, and the state folders written."""
    findings: list[Finding] = []
    for pipeline in config.pipelines:
        try:
            compose(config, pipeline, clock=SystemClock(), random=random.Random(), budget=unlimited)  # noqa: S311 - jitter
        except ConfigurationError as err:
            findings += err.findings
        own: KeyPath = ("pipelines", pipeline.name, "state")
        key = own if own in config.lines.by_path else ("tillpost", "state")
        if trouble := _unwritable(pipeline.state):
            findings.append(finding_at(config, key, trouble, "Change its owner, or name another folder."))
        if trouble := unsuitable_folder(pipeline.state):
            findings.append(finding_at(config, key, f"{trouble}.", "Name a folder on a local disk."))
    return findings


class _Unlimited:
    """The budget of what sends nothing."""

    def request(self) -> AbstractContextManager[None]:
        """No wait."""
        return nullcontext()

    def slow(self, seconds: float) -> None:
        """No wait."""


def unlimited(_: Secret, __: float) -> Budget:
    """A budget for what sends nothing."""
    return _Unlimited()


def build_plugin(name: str, plugin: Plugin, uses: list[Use], context: Context) -> list[object]:
    """The objects of a plugin, one for each use. Raises ConfigurationError, also when the plugin is faulty."""
    try:
        objects = list(plugin.build(uses, context))
    except (ConfigurationError, Interrupted):
        raise
    except BaseException as err:
        what = f"{type(err).__name__} at {plugin_place_of(err)}"
        message = f'plugin "{name}" is faulty: it cannot be built ({what}).'
        raise ConfigurationError(Finding(message=message, next_step=REPORT_PLUGIN)) from err
    if len(objects) != len(uses):
        message = f'plugin "{name}" is faulty: it built {len(objects)} objects for {len(uses)} uses.'
        raise ConfigurationError(Finding(message=message, next_step=REPORT_PLUGIN))
    return objects


def register_hooks(
    config: Config, pipeline: PipelineConfig, built: list[tuple[SlotConfig, object]]
) -> dict[str, list[tuple[str, Caller]]]:
    """Hook → its callers, in order. Raises ConfigurationError for hooks that are missing, unknown or wrong."""
    manager = pluggy.PluginManager("tillpost")
    manager.add_hookspecs(Hooks)
    findings: list[Finding] = []
    used = [(use, _Implementations(each)) for use, each in built]
    for use, each in reversed(used):  # pluggy asks the last registered first
        try:
            manager.register(each, key_text(use.path))
            manager.check_pending()
        except pluggy.PluginValidationError as err:
            fault = " ".join(str(err).split()).partition(" in plugin ")[0]
            findings.append(finding_at(config, (*use.path, "use"), f'plugin "{use.plugin}" is faulty: {fault}.'))
            manager.unregister(each)
    callers: dict[str, list[tuple[str, Caller]]] = {}
    everyone = [each for _, each in used]
    for use, each in used:
        if not manager.is_registered(each):
            continue
        required, optional = HOOKS[use.slot]
        others = [other for other in everyone if other is not each]
        choice = ONE_OF.get(use.slot, ())
        lacking = [hook for hook in required if not hasattr(each, hook)]
        if choice and not any(hasattr(each, hook) for hook in choice):
            lacking.insert(0, " or ".join(choice))
        for hook in lacking:
            message = f'plugin "{use.plugin}" is faulty: {use.slot} needs the hook {hook}.'
            findings.append(finding_at(config, (*use.path, "use"), message, "Name another plugin."))
        for hook in (*required, *optional):
            if hasattr(each, hook):
                callers.setdefault(hook, []).append((use.plugin, manager.subset_hook_caller(hook, others)))
    if findings:
        raise ConfigurationError(*findings)
    return callers


class _Implementations:
    """The hook implementations of one object at one use.

    pluggy identifies its plugins by hash and equality; the objects here may be equal, or have no hash.
    """

    def __init__(self, each: object) -> None:
        for name in dir(each):
            if name.startswith("_") or isinstance(inspect.getattr_static(each, name, None), property):
                continue
            method = getattr(each, name, None)
            if inspect.isroutine(method) and hasattr(method, "tillpost_impl"):
                setattr(self, name, method)


def finding_at(
    config: Config, path: KeyPath, message: str, next_step: str = "", *, level: str = "error", effect: str = ""
) -> Finding:
    """A finding of this key of the file, with its line. effect: where it is another than of every error there."""
    return Finding(
        message=message, file=config.shown, line=config.lines.at(path), key=key_text(path), next_step=next_step,
        level=level, consequence=effect,
    )  # fmt: skip


def _with_place(finding: Finding, config: Config, pipeline: PipelineConfig, uses: list[SlotConfig]) -> Finding:
    """A plugin's finding with file, line and full key.

    Its key may be the full one, begin with the slot (`transfer.host_key`), or be the setting alone (`host_key`).
    """
    if finding.line:
        return finding
    roots = [key_text(use.path) for use in uses]
    slot, _, rest = finding.key.partition(".")
    names = [finding.key]
    names += [f"{key_text(use.path)}.{rest}" if rest else key_text(use.path) for use in uses if use.slot == slot]
    names += [f"{root}.{finding.key}" for root in roots if finding.key]
    for name in names:
        if (path := config.lines.find(name)) is not None:
            return attrs.evolve(finding, file=config.shown, line=config.lines.at(path), key=name)
    key = names[0] if finding.key.startswith("pipelines.") else names[1] if len(names) > 1 else roots[0]
    line = config.lines.at(next((use.path for use in uses if key.startswith(key_text(use.path))), uses[0].path))
    return attrs.evolve(finding, file=config.shown, line=line, key=key)


def _unwritable(folder: Path) -> str:
    """Why the folder cannot be written or created; "" when it can."""
    nearest = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    if not nearest.is_dir():
        return f"{nearest} is not a directory."
    return "" if os.access(nearest, os.W_OK | os.X_OK) else f"{nearest} cannot be written by this user."

"""A pipeline: its plugins are built, registered in a pluggy manager of its own, and called in the order of the file."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import attrs
import pluggy

from tillpost.clock import Clock, SystemClock
from tillpost.compose.config import Config
from tillpost.compose.hook_faults import HOOKS, Implementations, hook_faults
from tillpost.compose.pipeline_config import PipelineConfig, SlotConfig
from tillpost.compose.plugins import REPORT_PLUGIN, load_plugin
from tillpost.compose.toml_lines import KeyPath, key_text
from tillpost.compose.unknown_contacts import nobody_finds_or_creates
from tillpost.errors import ConfigurationError, Finding, Interrupted, fault_of, plugin_trace
from tillpost.flow.hook_calls import Caller, HookCalls
from tillpost.flow.plugin_faults import place_of_function
from tillpost.flow.rate_limit.pace import Pace
from tillpost.hookspecs import Hooks
from tillpost.journal.sqlite.platform import unsuitable_folder
from tillpost.plugin import Budget, Context, Plugin, Secret, Use
from tillpost.terminal import counted


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
    declared: dict[str, Collection[str]] = {}
    for name in dict.fromkeys(use.plugin for use in pipeline.slots):
        uses = [use for use in pipeline.slots if use.plugin == name]
        try:
            given = [Use(use.slot, use.settings) for use in uses]
            plugin = load_plugin(name)
            declared[name] = plugin.slots
            objects = build_plugin(name, plugin, given, context)
        except ConfigurationError as err:
            findings += [_with_place(finding, config, pipeline, uses) for finding in err.findings]
            continue
        built.update({use.path: each for use, each in zip(uses, objects, strict=True)})
    if findings:
        raise ConfigurationError(*findings)
    callers = register_hooks(config, pipeline, [(use, built[use.path]) for use in pipeline.slots], declared)
    return Pipeline(pipeline, HookCalls(callers), pace, config.file, cursor)


def check_pipelines(config: Config) -> list[Finding]:
    """The second tier of `tillpost check`, offline: every plugin can be built, and the state folders written."""
    findings: list[Finding] = []
    for pipeline in config.pipelines:
        try:
            built = compose(config, pipeline, clock=SystemClock(), random=random.Random(), budget=unlimited)  # noqa: S311 - jitter
            for path, message, next_step in nobody_finds_or_creates(pipeline, built.hooks):
                findings.append(finding_at(config, path, message, next_step, level="warning"))
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
        built: object = plugin.build(uses, context)
        if not isinstance(built, Iterable) or isinstance(built, str | bytes | Mapping):
            raise _faulty(
                name,
                f"build at {place_of_function(plugin.build)} returned {_what(built)}",
                "It returns a list with one object for each use; `tillpost.simple` makes one of a single object.",
            )
        objects = list(built)
    except (ConfigurationError, Interrupted):
        raise
    except BaseException as err:
        raise _faulty(name, f"it cannot be built ({fault_of(err)})", REPORT_PLUGIN, err) from err
    if len(objects) != len(uses):
        slots = ", ".join(use.slot for use in uses)
        raise _faulty(
            name,
            f"build at {place_of_function(plugin.build)} returned {counted(len(objects), 'object')} for"
            f" {counted(len(uses), 'use')} ({slots})",
            "It returns one object for each use, in their order.",
        )
    return objects


def _what(value: object) -> str:
    return "nothing" if value is None else f"one {type(value).__name__}"


def _faulty(name: str, fault: str, next_step: str, error: BaseException | None = None) -> ConfigurationError:
    message = f'plugin "{name}" is faulty: {fault}.'
    return ConfigurationError(Finding(message=message, next_step=next_step, trace=plugin_trace(error)))


def register_hooks(
    config: Config,
    pipeline: PipelineConfig,
    built: list[tuple[SlotConfig, object]],
    declared: Mapping[str, Collection[str]],
) -> dict[str, list[tuple[str, Caller]]]:
    """Hook → its callers, in order. Raises ConfigurationError for hooks that are missing, unknown or wrong.

    declared: plugin → the slots it has.
    """
    findings = [
        finding_at(config, (*use.path, "use"), f'plugin "{use.plugin}" is faulty: {fault.message}.', fault.next_step)
        for use, each in built
        for fault in hook_faults(each, use.slot, declared[use.plugin])
    ]
    if findings:
        raise ConfigurationError(*findings)
    manager = pluggy.PluginManager("tillpost")
    manager.add_hookspecs(Hooks)
    used = [(use, Implementations(each)) for use, each in built]
    for use, each in reversed(used):  # pluggy asks the last registered first
        manager.register(each, key_text(use.path))
    manager.check_pending()
    callers: dict[str, list[tuple[str, Caller]]] = {}
    everyone = [each for _, each in used]
    for use, each in used:
        others = [other for other in everyone if other is not each]
        for hook in (*HOOKS[use.slot][0], *HOOKS[use.slot][1]):
            if hasattr(each, hook):
                callers.setdefault(hook, []).append((use.plugin, manager.subset_hook_caller(hook, others)))
    return callers


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
    finding = attrs.evolve(finding, key=finding.key or "use")
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

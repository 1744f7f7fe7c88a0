"""Plugins by the name of their entry point, each loaded only when a configuration names it.

Loading the whole group would import everything, and one broken plugin would stop every command.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

import attrs

from tillpost.compose.values import suggestion
from tillpost.errors import ConfigurationError, Finding, Interrupted, InvalidValue, plugin_place_of, plugin_trace
from tillpost.plugin import CAPABILITIES, SLOTS, Plugin

GROUP = "tillpost.plugins"
REPORT_PLUGIN = "Report it to the plugin's author."


@attrs.frozen(kw_only=True)
class PluginInfo:
    """An installed plugin, or why it cannot be used (`error`, else "")."""

    name: str
    distribution: str
    version: str
    summary: str = ""
    slots: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    """Of an adapter: what its format has, in the order of tillpost.plugin.CAPABILITIES."""
    error: str = ""


def load_plugin(name: str) -> Plugin:
    """The plugin of this entry point.

    Raises ConfigurationError with one Finding, without a place, for a name that is unknown or installed twice, and a
    plugin that cannot be imported or is not a `tillpost.Plugin`.
    """
    points = entry_points(group=GROUP)
    named = [point for point in points if point.name == name]
    if not named:
        raise _error(f'plugin "{name}" is not installed.', suggestion(name, {point.name for point in points}))
    if len(named) > 1:
        owners = " and ".join(sorted(_owner(point)[0] for point in named))
        raise _error(f'plugin "{name}" is installed twice, by {owners}.', "Uninstall one of them.")
    return _load(named[0])


def distribution_of(name: str) -> tuple[str, str]:
    """The name and version of the distribution the plugin comes with."""
    return next((_owner(point) for point in entry_points(group=GROUP, name=name)), ("(unknown)", ""))


def installed_plugins() -> list[PluginInfo]:
    """Every installed plugin by name, broken ones with their error."""
    infos = []
    points = entry_points(group=GROUP)
    for point in sorted(points, key=lambda point: (point.name, _owner(point))):
        distribution, version = _owner(point)
        info = PluginInfo(name=point.name, distribution=distribution, version=version)
        try:
            plugin = load_plugin(point.name)
        except ConfigurationError as err:
            infos.append(attrs.evolve(info, error=err.findings[0].message))
        else:
            slots = tuple(slot for slot in SLOTS if slot in plugin.slots)
            capabilities = tuple(each for each in CAPABILITIES if each in plugin.capabilities)
            infos.append(attrs.evolve(info, summary=plugin.summary, slots=slots, capabilities=capabilities))
    return infos


def _load(point: EntryPoint) -> Plugin:
    try:
        plugin = point.load()
    except Interrupted:
        raise
    except InvalidValue as err:
        message = f'plugin "{point.name}" is faulty: {err} ({plugin_place_of(err)}).'
        raise _error(message, REPORT_PLUGIN, err) from err
    except BaseException as err:
        reason = (str(err).splitlines() or [""])[0][:200].rstrip(".")
        if not isinstance(err, ImportError):
            place = f"{type(err).__name__} at {plugin_place_of(err)}"
            reason = f"{place}: {reason}" if reason else place
        message = f'plugin "{point.name}" cannot be imported from {point.module}: {reason}.'
        raise _error(message, f"Reinstall {_owner(point)[0]}, or fix the line.", err) from err
    if not isinstance(plugin, Plugin):
        what = f"the class {plugin.__name__}" if isinstance(plugin, type) else f"one {type(plugin).__name__}"
        message = f'plugin "{point.name}" is faulty: {point.value} is {what}, not a tillpost.Plugin.'
        raise _error(message, "Make it with `tillpost.simple`, `tillpost.kit.adapter` or `tillpost.Plugin`.")
    return plugin


def _owner(point: EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist else ("(unknown)", "")


def _error(message: str, next_step: str, error: BaseException | None = None) -> ConfigurationError:
    return ConfigurationError(Finding(message=message, next_step=next_step, trace=plugin_trace(error)))

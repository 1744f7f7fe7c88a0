"""Runs the suites of a plugin by pytest and gathers what came of each promise."""

from __future__ import annotations

import importlib.util
import os
import platform
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any

import attrs
import pytest

from tillpost.compose.plugins import GROUP, known_plugins
from tillpost.errors import UsageError
from tillpost.plugin import CAPABILITIES
from tillpost.testing.suite import Suite


@attrs.frozen
class Result:
    """One promise: kept, broken or waived, and why when it is not kept."""

    promise: str
    words: str
    outcome: str
    detail: str = ""


@attrs.frozen
class Report:
    """One suite, tried."""

    plugin: str
    version: str
    distribution: str
    capabilities: tuple[str, ...]
    results: tuple[Result, ...]

    def count(self, outcome: str) -> int:
        """How many promises ended so."""
        return sum(each.outcome == outcome for each in self.results)

    def summary(self) -> str:
        """The counts."""
        return f"{self.count('kept')} kept, {self.count('broken')} broken, {self.count('waived')} waived"

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return attrs.asdict(self)

    def markdown(self) -> str:
        """What a retailer may ask a vendor for."""
        tells = ", ".join(self.capabilities) or "nothing of these"
        silent = ", ".join(each for each in CAPABILITIES if each not in self.capabilities) or "nothing"
        rows = [
            f"| `{each.promise}` | {each.outcome} | {_cell(each.detail if each.detail else each.words)} |"
            for each in sorted(self.results, key=lambda each: ("broken", "waived", "kept").index(each.outcome))
        ]
        return "\n".join(
            [
                f"# Promises of `{self.plugin}`",
                "",
                f"{self.distribution} {self.version}, tested with Tillpost {version('tillpost')} and Python"
                f" {platform.python_version()} on {datetime.now(UTC).date()}.",
                "",
                f"**{self.summary()}.** A waived promise is one the format cannot keep; the reason is the vendor's.",
                "",
                f"It tells: {tells}. It does not tell: {silent}.",
                "",
                "| promise | | what it says, or why not |",
                "|---|---|---|",
                *rows,
                "",
            ]
        )


def _cell(text: str) -> str:
    # A reason may quote the file it is about, and a table must stay one.
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


@attrs.frozen
class Target:
    """Where suites are: files, and of which plugin (any, for a path)."""

    files: tuple[Path, ...]
    plugin: str = ""


def find(what: str) -> Target:
    """The suites of an installed plugin (the module `promises` beside it), or below a path.

    Raises UsageError when there are none.
    """
    points = [point for point in entry_points(group=GROUP) if point.name == what]
    if points:
        module = points[0].module
        for package in (module, module.rpartition(".")[0]):
            if package and importlib.util.find_spec(package) and (found := _spec(f"{package}.promises")):
                return Target((found,), what)
        raise UsageError(f"plugin {what} brings no promises ({module}.promises); give the path of its suite")
    path = Path(what)
    files = (path,) if path.is_file() else tuple(sorted(path.rglob("promises.py")) or sorted(path.rglob("test_*.py")))
    if not files:
        raise UsageError(f"{what} is neither an installed plugin nor a path with a promises.py")
    return Target(files)


def _spec(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # the plugin is a module and no package
        return None
    return Path(spec.origin) if spec and spec.origin else None


def run(target: Target, junit: Path | None = None) -> Sequence[Report]:
    """Try every promise. Raises UsageError when no suite could be collected, with pytest's reason."""
    recorder = _Recorder(target.plugin)
    words = ["-p", "no:terminal", "-p", "no:cacheprovider", "--import-mode=importlib", "-o", "python_files=*.py"]
    if junit is not None:
        words += [f"--junitxml={junit.resolve()}", "-o", "junit_family=xunit2"]
    autoload = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    # A plugin of pytest that happens to be installed must not change a report, nor may a project's own settings.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        with tempfile.TemporaryDirectory() as empty:
            settings = Path(empty) / "pytest.ini"
            settings.write_text("[pytest]\n")
            words += ["-c", str(settings), f"--rootdir={empty}", f"--basetemp={Path(empty) / 'files'}"]
            pytest.main([*words, *(str(file.resolve()) for file in target.files)], plugins=[recorder])
    finally:
        if autoload is None:
            del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        else:
            os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = autoload
    if recorder.errors or not recorder.suites:
        raise UsageError("no promises could be tried: " + ("\n".join(recorder.errors) or "no suite was found"))
    return recorder.reports()


class _Recorder:
    """A plugin of pytest that notes each promise's end."""

    def __init__(self, plugin: str) -> None:
        self._plugin = plugin
        self.errors: list[str] = []
        self.suites: dict[type[Suite], list[Result]] = {}
        self._items: dict[str, type[Suite]] = {}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be imported is told."""
        if report.failed:
            self.errors.append(str(report.longrepr).strip().splitlines()[-1])

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Only promises of the plugin asked for are tried."""
        kept = []
        for item in items:
            suite = getattr(item, "cls", None)
            if not isinstance(suite, type) or not issubclass(suite, Suite):
                continue
            if self._plugin and suite.plugin_name() != self._plugin:
                continue
            self._items[item.nodeid] = suite
            self.suites.setdefault(suite, [])
            kept.append(item)
        items[:] = kept

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One end a promise: its call, or what came before or after it when that failed."""
        suite = self._items[report.nodeid]
        if report.when == "call" or report.outcome != "passed":
            promise = report.nodeid.rpartition("::test_")[2]
            if promise == "waivers" and report.passed:
                return  # about the suite, and worth a line only when something is wrong with it
            outcome = {"passed": "kept", "failed": "broken", "skipped": "waived"}[report.outcome]
            if outcome == "waived" and isinstance(report.longrepr, tuple):
                detail = report.longrepr[2].removeprefix("Skipped: ").removeprefix("waived: ")
            else:
                detail = str(report.longrepr).strip() if report.failed else ""
            words = suite.promises().get(promise, "Every waiver names a promise of the suite.")
            self.suites[suite].append(Result(promise, words, outcome, _last(detail)))

    def reports(self) -> list[Report]:
        """One for each suite."""
        known = {info.name: info for info in known_plugins()}
        made = []
        for suite, results in self.suites.items():
            info = known.get(suite.plugin_name())
            gives = suite.the_plugin().capabilities if info is None or not info.error else frozenset()
            made.append(
                Report(
                    plugin=suite.plugin_name(),
                    version=info.version if info else "",
                    distribution=info.distribution if info else "(not installed)",
                    capabilities=tuple(each for each in CAPABILITIES if each in gives),
                    results=tuple(results),
                )
            )
        return made


def _last(detail: str) -> str:
    """A broken promise says why itself; of any other exception the last line tells."""
    return detail if detail.startswith("promise `") or len(detail) < 400 else detail.splitlines()[-1]

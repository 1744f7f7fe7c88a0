"""Runs the suites of a plugin with pytest and collects the result of each promise."""

from __future__ import annotations

import importlib.util
import platform
import tempfile
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import entry_points, version
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest

from tillpost.compose.plugins import GROUP, installed_plugins, load_plugin
from tillpost.errors import PluginError, UsageError, describe, plugin_trace
from tillpost.plugin import CAPABILITIES
from tillpost.testing.suite import WAIVE, Suite

ORDER = ("broken", "to do", "waived", "kept")


@attrs.frozen
class Result:
    """One promise: kept, broken, to do or waived, and why it is not kept."""

    promise: str
    sentence: str
    outcome: str
    detail: str = ""


@attrs.frozen
class Report:
    """The results of one suite."""

    plugin: str
    version: str
    distribution: str
    capabilities: tuple[str, ...]
    results: tuple[Result, ...]

    def count(self, outcome: str) -> int:
        """The number of promises with this outcome."""
        return sum(result.outcome == outcome for result in self.results)

    def summary(self) -> str:
        """The counts in one line."""
        todo = self.count("to do")
        counts = f"{self.count('kept')} kept, {self.count('broken')} broken, {self.count('waived')} waived"
        return f"{counts}, {todo} to do" if todo else counts

    def told(self) -> list[tuple[Result, str]]:
        """Each result with what is said of it: a reason that several have stands in full at the first of them."""
        first: dict[str, str] = {}
        told = []
        for result in self.results:
            said = result.detail.partition(WAIVE)[0].rstrip()
            if result.outcome in ("broken", "to do"):
                name = first.setdefault(said, result.promise)
                said = said if name == result.promise else f"as `{name}`"
            told.append((result, said))
        return told

    def next_step(self) -> str:
        """How to go on where something is to do; "" where nothing is."""
        if not self.count("to do"):
            return ""
        waive = any(WAIVE in result.detail for result in self.results)
        waiver = f'; {WAIVE} waivers = {{"PROMISE": "why the till has no such thing"}}' if waive else ""
        first = next(result.promise for result in self.results if result.outcome == "to do")
        return f"a part is welcome: what is kept is kept. Go on with `{first}`{waiver}"

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return attrs.asdict(self)

    def markdown(self) -> str:
        """The report that a retailer may ask a vendor for, in Markdown."""
        given = ", ".join(self.capabilities) or "none"
        missing = ", ".join(name for name in CAPABILITIES if name not in self.capabilities) or "none"
        rows = [
            f"| `{result.promise}` | {result.outcome} | {_cell(said or result.sentence)} |"
            for result, said in sorted(self.told(), key=lambda told: ORDER.index(told[0].outcome))
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
                f"Capabilities: {given}. Missing: {missing}.",
                "",
                "| promise | | sentence, or why not |",
                "|---|---|---|",
                *rows,
                "",
            ]
        )


def _cell(text: str) -> str:
    # A reason may quote the file it is about, and a table must stay one; lines of code are for the vendor alone.
    text = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


@attrs.frozen
class Target:
    """Files with suites, and the plugin whose suites are tried ("": all of them)."""

    files: tuple[Path, ...]
    plugin: str = ""


def find(name_or_path: str) -> Target:
    """The suites of an installed plugin (its module `promises`), or those below a path.

    Raises UsageError when there are none, and ConfigurationError for a plugin that cannot be loaded.
    """
    points = [point for point in entry_points(group=GROUP) if point.name == name_or_path]
    if points:
        load_plugin(name_or_path)  # what is wrong with it is told as `try` and `check` tell it
        module = points[0].module
        for package in (module, module.rpartition(".")[0]):
            if package and importlib.util.find_spec(package) and (found := _spec(f"{package}.promises")):
                return Target((found,), name_or_path)
        raise UsageError(f"plugin {name_or_path} brings no promises ({module}.promises); give the path of its suite")
    path = Path(name_or_path)
    files = (path,) if path.is_file() else tuple(sorted(path.rglob("promises.py")) or sorted(path.rglob("test_*.py")))
    if not files:
        raise UsageError(f"{name_or_path} is neither an installed plugin nor a path with a promises.py")
    return Target(files)


def _spec(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # the plugin is a module and no package
        return None
    return Path(spec.origin) if spec and spec.origin else None


def run(target: Target, junit: Path | None = None, debug: bool = False) -> Sequence[Report]:
    """Try every promise. Raises UsageError when no suite could be collected, with pytest's reason.

    debug: whole tracebacks, with the texts of errors.
    """
    recorder = _Recorder(target.plugin, debug)
    arguments = ["-p", "no:terminal", "-p", "no:cacheprovider", "--import-mode=importlib", "-o", "python_files=*.py"]
    if junit is not None:
        arguments += [f"--junitxml={junit.resolve()}", "-o", "junit_family=xunit2"]
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as empty:
        # Plugins of pytest that happen to be installed, and a project's own settings, must not change a report.
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        settings = Path(empty) / "pytest.ini"
        settings.write_text("[pytest]\n")
        arguments += ["-c", str(settings), f"--rootdir={empty}", f"--basetemp={Path(empty) / 'files'}"]
        pytest.main([*arguments, *(str(file.resolve()) for file in target.files)], plugins=[recorder])
    if recorder.errors or not recorder.suites:
        raise UsageError("no promises could be tried: " + ("\n".join(recorder.errors) or "no suite was found"))
    return recorder.reports()


class _Recorder:
    """A plugin of pytest that records the result of each promise."""

    def __init__(self, plugin: str, debug: bool = False) -> None:
        self._plugin = plugin
        self._debug = debug
        self._raised: dict[str, BaseException] = {}
        """By node: what was raised there last."""
        self.errors: list[str] = []
        self.suites: dict[type[Suite], list[Result]] = {}
        self._items: dict[str, type[Suite]] = {}

    def pytest_exception_interact(self, call: pytest.CallInfo[object], report: object) -> None:
        """Keep what was raised while a module was imported: the report has its text only."""
        if isinstance(report, pytest.CollectReport) and call.excinfo is not None:
            error = call.excinfo.value
            self._raised[report.nodeid] = error.__cause__ or error

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
        """Keep what a promise raised."""
        self._raised.pop(item.nodeid, None)
        if call.excinfo is not None:
            self._raised[item.nodeid] = call.excinfo.value
        return (yield)

    def _reasons(self, nodeid: str) -> list[str]:
        """Why a promise is broken, or a module cannot be read, with the lines of code that led there."""
        error = self._raised[nodeid]
        if isinstance(error, pytest.fail.Exception):  # a check of a suite, which has the lines already
            lines = plugin_trace(error.__context__, whole=True) if self._debug else ()
            return [str(error.msg).strip(), *(f"    {line}" for line in lines)]
        cause = error.__cause__ if isinstance(error, PluginError) and not self._debug else error
        return [describe(error), *(f"    {line}" for line in plugin_trace(cause, whole=self._debug))]

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, Any]:
        """Record the suites of a module that pytest passes over."""
        report = yield
        if isinstance(collector, pytest.Module) and report.passed:
            collected = {node.name for node in report.result}
            self.errors += _passed_over(collector.obj, collected)
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record the error of a module that cannot be imported."""
        if report.failed:
            self.errors.append("\n".join(self._reasons(report.nodeid)))

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep only promises of the plugin asked for."""
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
        """Record one result a promise: of its call, or of its setup or teardown when that failed."""
        suite = self._items[report.nodeid]
        if report.when == "call" or report.outcome != "passed":
            promise = report.nodeid.rpartition("::test_")[2]
            if promise == "waivers" and report.passed:
                return  # about the suite itself: listed only when it fails
            outcome = {"passed": "kept", "failed": "broken", "skipped": "waived"}[report.outcome]
            if outcome == "waived" and isinstance(report.longrepr, tuple):
                detail = report.longrepr[2].removeprefix("Skipped: ").removeprefix("waived: ")
            else:
                detail = "\n".join(self._reasons(report.nodeid)) if report.failed else ""
                outcome = "to do" if "`: to do: " in detail else outcome
            sentence = suite.promises().get(
                promise, "Every waiver names a promise, and every attribute is one of the suite."
            )
            self.suites[suite].append(Result(promise, sentence, outcome, detail))

    def reports(self) -> list[Report]:
        """One report for each suite."""
        known = {info.name: info for info in installed_plugins()}
        reports = []
        for suite, results in self.suites.items():
            info = known.get(suite.plugin_name())
            capabilities = suite.loaded_plugin().capabilities if info is None or not info.error else frozenset()
            reports.append(
                Report(
                    plugin=suite.plugin_name(),
                    version=info.version if info else "",
                    distribution=info.distribution if info else "(not installed)",
                    capabilities=tuple(name for name in CAPABILITIES if name in capabilities),
                    results=tuple(results),
                )
            )
        return reports


def _passed_over(module: ModuleType, collected: set[str]) -> list[str]:
    """A sentence for each suite of the module that pytest does not collect, and that is no base of another."""
    suites = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Suite)]
    made = {each for each in suites if each.__init__ is not object.__init__}  # pytest takes no class that has one
    return [
        f"{module.__file__}: the suite {each.__name__} is not tried: "
        + ("it has an __init__" if each in made else "its name must begin with Test")
        for each in suites
        if each.__module__ == module.__name__ and (each in made or each.__name__ not in collected)
        if not any(other is not each and issubclass(other, each) for other in suites)
    ]

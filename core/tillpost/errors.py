"""What failed, where, and what to do next. Every error the project raises on purpose is one of these.

No message holds personal data or a key.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import attrs


class TillpostError(Exception):
    """The root of all errors raised on purpose."""


@attrs.frozen(kw_only=True)
class Finding:
    """One thing wrong with a configuration: what with which value, where, what happens, and what to do."""

    message: str
    file: str = ""
    line: int = 0
    key: str = ""
    next_step: str = ""
    level: str = "error"
    """`error`, `warning` for what runs but should not stay (a literal secret), or `trouble` for what is not the
    configuration's fault (a server that does not answer)."""
    consequence: str = ""
    """What happens because of it, where that is not what an error of its place always does."""
    trace: tuple[str, ...] = ()
    """The lines of a plugin that led to it (`plugin_trace`), where one raised an error."""

    @property
    def effect(self) -> str:
        """What happens because of it; "" for a warning, and for what stands in no configuration file."""
        if self.consequence:
            return self.consequence
        if self.level != "error" or not self.file:
            return ""
        if self.key.startswith("pipelines."):
            return "The pipeline cannot start with this."
        return "No alerts are sent." if self.key.startswith("alerts") else "No pipeline can start with this."

    def lines(self) -> list[str]:
        """The finding, and below it the lines of the plugin that led to it."""
        return [str(self), *(f"    {line}" for line in self.trace)]

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        names = ("message", "file", "line", "key", "next_step", "level", "effect", "trace")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def of_json(cls, written: Mapping[str, Any]) -> Finding:
        """What `as_json` has written, among other keys."""
        names = ("message", "file", "line", "key", "next_step", "level")
        trace = tuple(written.get("trace", ()))
        return cls(**{name: written[name] for name in names}, consequence=written["effect"], trace=trace)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        key = f"{self.key}: " if self.key else ""
        return " ".join(filter(None, (f"{place}{self.level}: {key}{self.message}", self.effect, self.next_step)))


class ConfigurationError(TillpostError):
    """The configuration cannot be used; the exit code is 78 (sysexits EX_CONFIG)."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("\n".join(line for finding in findings for line in finding.lines()))
        self.findings = findings


class UsageError(TillpostError):
    """The command was called with something that does not exist; the exit code is 2."""


class InvalidValue(TillpostError, ValueError):
    """A value is wrong. The message is `place: fault`.

    fault: what is wrong with which value, with its figures, and what to set where a setting helps; never the place.
    place: where the value is ("line 3.lines[0].paid"); "" while only the caller knows it.
    """

    def __init__(self, fault: str, *, place: str = "") -> None:
        super().__init__(f"{place}: {fault}" if place else fault)
        self.fault = fault
        self.place = place

    def at(self, place: str) -> InvalidValue:
        """The same fault at another place."""
        return InvalidValue(self.fault, place=place)


class WrongType(InvalidValue):
    """A value was created with a wrong type or name: a fault of the code that did so, whatever the data."""


class DocumentError(TillpostError):
    """A whole document cannot be read (not well-formed, wrong encoding, DOCTYPE). The file is kept.

    counts: what came of the records before the fault, by the names of `Accepted`; empty before the flow knows.
    """

    def __init__(self, message: str, place: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.counts: Mapping[str, int] = {}


class KeyTaken(TillpostError):
    """The document's key was given to other content before; nothing was accepted."""


class KeyBusy(TillpostError):
    """A document with this key is being accepted at this moment; its answer is not known yet."""


class Busy(TillpostError):
    """The backlog or the disk is near its limit: nothing was accepted, and it may be tried in `after` seconds."""

    def __init__(self, message: str, after: float) -> None:
        super().__init__(message)
        self.after = after


class Stopped(TillpostError):
    """The process is to end in the middle of a document; the source keeps it, and it goes on at the next start."""


class Interrupted(KeyboardInterrupt):
    """A person pressed Ctrl-C. A KeyboardInterrupt that a plugin raises is the plugin's fault, and is another one."""


class JournalError(TillpostError):
    """The journal cannot promise what it must; nothing more is acknowledged until it can."""


class ChangedMeanwhile(JournalError):
    """What was decided on is not as it was seen any more. Nothing was committed."""


class NotCommitted(JournalError):
    """The disk did not take this commit; what was acknowledged before is there, and it may be tried again."""


class JournalFull(NotCommitted):
    """No room on the disk (by bytes or inodes): new receipts are refused, nothing accepted is harmed."""


class JournalDisplaced(NotCommitted):
    """The journal's path does not lead to the open file any more; nothing is acknowledged until it does."""


class DiskFailed(JournalError):
    """The disk failed, and reopening the journal did not help; the pipeline stops."""


class JournalMissing(JournalError):
    """There is no journal where one was, or where one is needed; none is made without being asked for."""


class JournalDamaged(JournalError):
    """A page or a row of the journal is damaged; `folder` is its state folder."""

    def __init__(self, message: str, folder: Path) -> None:
        super().__init__(f"{message}; `tillpost journal verify` shows the damage, `tillpost journal repair` fixes it")
        self.folder = folder


class StateFolderBusy(JournalError):
    """Another process runs on this state folder."""


class PluginError(TillpostError):
    """A plugin is missing, failed to import, or broke the contract of a hook; names the plugin."""

    def __init__(self, plugin: str, message: str) -> None:
        super().__init__(f"plugin {plugin!r}: {message}")
        self.plugin = plugin


def describe(error: BaseException) -> str:
    """An error for a log line: the message of one of ours, else its type and place only.

    The text of a foreign exception may quote the value it stumbled over, which may be personal data.
    """
    return str(error) if isinstance(error, TillpostError) else f"{type(error).__name__} at {place_of(error)}"


def system_says(error: BaseException) -> str:
    """What the system says of a file, a port or a host, with the file; "" for any other error.

    A library may put a text or an address of its own into an error of the system, and a key may be in it.
    """
    if not isinstance(error, OSError) or isinstance(error, TillpostError) or not error.strerror:
        return ""
    if not isinstance(error, socket.gaierror) and error.strerror != os.strerror(error.errno or 0):
        return ""
    name = f"{error.filename}: " if isinstance(error.filename, str | Path) and "://" not in str(error.filename) else ""
    return f"{name}{error.strerror.lower()}"


def place_of(error: BaseException) -> str:
    """Where in the code it was raised, as FILE:LINE."""
    places = [place for _, place in _frames(error)]
    return places[-1] if places else "an unknown place"


def plugin_place_of(error: BaseException) -> str:
    """The innermost line of the plugin's own code that the error came through, as FILE:LINE.

    The plugin's own code is the package of the first frame of nobody else's: not Tillpost's, Python's or a library's
    that calls plugins. Of a file that is no Python it is the line that is wrong.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    outside = [(package, place) for package, place in _frames(error) if not _is_foreign(package)]
    own = [place for package, place in outside if package == outside[0][0]]
    if not own and error.__cause__ is not None:  # as of a generator in which `next` found nothing
        return plugin_place_of(error.__cause__)
    return own[-1] if own else place_of(error)


def fault_of(error: BaseException) -> str:
    """What a plugin raised, and the plugin's own line: a foreign exception without its text, as `describe`."""
    what = str(error) if isinstance(error, TillpostError) else type(error).__name__
    return f"{what} at {plugin_place_of(error)}"


_SAFE = (TypeError, AttributeError, NameError, ImportError, SyntaxError)
"""Errors whose text, where Python itself raises them, names code and no data."""
_MOST_LINES = 20


def plugin_trace(error: BaseException | None, whole: bool = False, code: bool = True) -> tuple[str, ...]:
    """The lines of code an error came through, from the plugin's first one on, and its type at the end.

    The text of the error is there where it is one of ours, or Python's own about code; any other may quote a customer.
    whole: from the first line on, and always with the text. code: with what stands in each line, which may be a key.
    """
    if error is None:
        return ()
    import linecache

    frames = list(_traceback(error))
    packages = [str(each.tb_frame.f_globals.get("__name__", "")).partition(".")[0] for each in frames]
    first = 0 if whole else next((i for i, name in enumerate(packages) if not _is_foreign(name)), len(frames))
    refused = not whole and _is_raised(frames) and packages[-1] == "tillpost"
    if refused:  # on purpose: the vendor's last line is what matters, not ours behind it
        while len(frames) > first + 1 and _is_foreign(packages[-1]):
            frames.pop()
            packages.pop()
    lines = []
    for each in frames[first:]:
        at = each.tb_frame.f_code
        text = linecache.getline(at.co_filename, each.tb_lineno, each.tb_frame.f_globals).strip() if code else ""
        lines.append(f"{at.co_filename}:{each.tb_lineno} in {at.co_name}" + (f": {text}" if text else ""))
    if isinstance(error, SyntaxError) and error.filename and code:
        lines.append(f"{error.filename}:{error.lineno}: {(error.text or '').strip()}")
    if len(lines) > _MOST_LINES:
        left = len(lines) - _MOST_LINES
        lines[_MOST_LINES // 2 : -_MOST_LINES // 2] = [f"({left} more lines)"]
    if not lines:
        return ()
    named = type(error).__name__
    ours = refused or isinstance(error, TillpostError)
    shown = whole or ours or (isinstance(error, _SAFE) and not _is_raised(frames))
    before = plugin_trace(error.__cause__, whole, code) if error.__cause__ is not None else ()
    if before:
        lines.insert(0, "which led to:")
    text = _one_line(error) if shown else ""
    return (*before, *lines, text if text and ours and not whole else f"{named}: {text}" if text else named)


def _one_line(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return " ".join(text.split())


def _is_raised(frames: Sequence[TracebackType]) -> bool:
    """Whether the innermost line is a `raise`: then somebody wrote the text, and not Python."""
    if not frames:
        return False
    import dis

    innermost = frames[-1]
    return bool(innermost.tb_frame.f_code.co_code[innermost.tb_lasti] == dis.opmap["RAISE_VARARGS"])


def _is_foreign(package: str) -> bool:
    """Whether frames of this package are no plugin's own code."""
    return package in _FOREIGN or package in sys.stdlib_module_names


_FOREIGN = frozenset(("", "tillpost", "pluggy", "attr", "attrs", "cattr", "cattrs", "pytest", "_pytest", "click"))


def _frames(error: BaseException) -> Iterator[tuple[str, str]]:
    """Package and FILE:LINE of each frame, the innermost last."""
    for each in _traceback(error):
        package = str(each.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        yield package, f"{each.tb_frame.f_code.co_filename}:{each.tb_lineno}"


def _traceback(error: BaseException) -> Iterator[TracebackType]:
    trace = error.__traceback__
    while trace is not None:
        yield trace
        trace = trace.tb_next

"""What failed, where, and what to do next. Every error the project raises on purpose is one of these.

No message holds personal data or a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
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

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        names = ("message", "file", "line", "key", "next_step", "level", "effect")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def of_json(cls, written: Mapping[str, Any]) -> Finding:
        """What `as_json` has written, among other keys."""
        names = ("message", "file", "line", "key", "next_step", "level")
        return cls(**{name: written[name] for name in names}, consequence=written["effect"])

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        key = f"{self.key}: " if self.key else ""
        return " ".join(filter(None, (f"{place}{self.level}: {key}{self.message}", self.effect, self.next_step)))


class ConfigurationError(TillpostError):
    """The configuration cannot be used; the exit code is 78 (sysexits EX_CONFIG)."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
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


def place_of(error: BaseException) -> str:
    """Where in the code it was raised, as FILE:LINE."""
    places = [place for _, place in _frames(error)]
    return places[-1] if places else "an unknown place"


def plugin_place_of(error: BaseException) -> str:
    """The innermost line of the plugin's own code that the error came through, as FILE:LINE.

    The plugin's own code is the package of the first frame that is neither Tillpost's nor pluggy's.
    """
    outside = [(package, place) for package, place in _frames(error) if package not in ("tillpost", "pluggy")]
    own = [place for package, place in outside if package == outside[0][0]]
    return own[-1] if own else place_of(error)


def _frames(error: BaseException) -> Iterator[tuple[str, str]]:
    """Package and FILE:LINE of each frame, the innermost last."""
    trace = error.__traceback__
    while trace is not None:
        package = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        yield package, f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next

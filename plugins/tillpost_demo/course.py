"""What a drill came to, for a terminal, a page and programs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

import attrs

from tillpost_demo.fit import Finding
from tillpost_demo.outcome import Outcome, summary, table
from tillpost_demo.rehearsal import Rehearsal
from tillpost_demo.report import Section
from tillpost_demo.text import counted


@attrs.frozen(kw_only=True)
class Course:
    """The result of a drill."""

    rehearsal: Rehearsal
    outcome: Outcome
    findings: Sequence[Finding]

    @property
    def ok(self) -> bool:
        """Nothing lost, doubled or left over, no action needed, and every limit fits."""
        return self.outcome.verdict.ok and all(finding.fits for finding in self.findings)

    def timeline(self) -> list[tuple[str, str, str]]:
        """Local time, state, reason."""
        rows = [(row["at"][11:19], str(row["state"]), str(row["reason"])) for row in self.outcome.history]
        marks = [(self.outcome.outage_from, "the API goes"), (self.outcome.outage_to, "the API is back")]
        rows += [(time.strftime("%H:%M:%S", time.localtime(at)), what, "") for at, what in marks]
        return sorted(rows, key=lambda row: row[0])

    def actions(self) -> list[str]:
        """What a person would have to look at."""
        verdict = self.outcome.verdict
        held = Counter(str(row["reason"]) for row in self.outcome.receipts if row["state"] == "held")
        counts = [(len(verdict.unsettled), "not settled"), (len(verdict.lost), "lost"), (verdict.duplicates, "doubled")]
        return [
            *(f"{counted(count, 'receipt')} held: {reason}" for reason, count in held.items()),
            *(f"{counted(count, 'receipt')} {what}" for count, what in counts if count),
            *(f"{finding.key}: {finding.says}" for finding in self.findings if not finding.fits),
        ]

    def print(self, echo: Callable[[str], None]) -> None:
        """The report for a terminal."""
        actions = self.actions()
        limits = [f"{'fits ' if one.fits else 'CHECK'}  {one.key}: {one.says}" for one in self.findings]
        parts = {
            "Timeline of the destination": [
                f"{at}  {state}" + (f" ({reason})" if reason else "") for at, state, reason in self.timeline()
            ],
            "Receipts, files and contacts": table(self.outcome),
            "Your limits": limits,
            "Not as in your configuration": self.rehearsal.replaced(),
            "Action needed" if actions else "No action needed.": actions,
        }
        for heading, lines in parts.items():
            echo("\n".join(["", heading, *(f"  {line}" for line in lines)]))
        echo(f"\n{self.outcome.verdict.sentence()}")

    def sections(self) -> list[Section]:
        """The report's sections for the page."""
        limits = [(finding.key, "fits" if finding.fits else "check", finding.says) for finding in self.findings]
        return [
            ("Timeline of the destination", ("time", "state", "why"), self.timeline()),
            ("Your limits", ("key", "", "what was found"), limits),
            ("Not as in your configuration", ("",), [(text,) for text in self.rehearsal.replaced()]),
            ("Action needed", ("",), [(text,) for text in self.actions()]),
        ]

    def figures(self) -> dict[str, object]:
        """The object of `--json`."""
        return summary(self.outcome) | {
            "pipeline": self.rehearsal.name,
            "outage_seconds": self.rehearsal.length.total_seconds(),
            "divided_by": self.rehearsal.factor,
            "files": Counter(str(row["state"]) for row in self.outcome.files),
            "timeline": [{key: str(row[key]) for key in ("at", "state", "reason")} for row in self.outcome.history],
            "limits": [attrs.asdict(finding) for finding in self.findings],
            "replaced": self.rehearsal.replaced(),
            "actions": self.actions(),
            "ok": self.ok,
        }

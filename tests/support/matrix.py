"""The page docs/integrators/capability-matrix.md, from what the adapters declare.

Write it again with `python -m tests.support.matrix`.
"""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from pathlib import Path

from tillpost.compose.plugins import load_plugin
from tillpost.plugin import CAPABILITIES
from tillpost.testing import AdapterSuite

PAGE = Path(__file__).parents[2] / "docs" / "integrators" / "capability-matrix.md"

HEAD = """\
# What each adapter reads

Generated from what the adapters declare by `python -m tests.support.matrix`; a test compares it. A vendor's own adapter
is listed by `tillpost plugins --json`, its promises by `tillpost plugin test NAME`.

- *customer*: who bought, where the till knows it. Without it a receipt goes to the `anonymous` contact, or is skipped.
- *sequence*: numbers run without a gap per store and till, so that a missing one is a missing receipt.
- *day totals*: the till's own sums of a day, to check the day against.
- *linked returns*: a returned line names the receipt it was bought on.
- *discounts*, *taxes*, *tenders*: separately, not only in the sums.

Which formats and vendors: [formats.md](formats.md). Which field becomes which: [mapping.md](mapping.md).
"""


def adapters() -> list[str]:
    """The adapters that come along, by name."""
    points = [point for point in entry_points(group="tillpost.plugins") if point.dist and point.dist.name == "tillpost"]
    return sorted(point.name for point in points if "adapter" in load_plugin(point.name).slots)


def suite(name: str) -> type[AdapterSuite]:
    """The promise suite of a bundled adapter."""
    [point] = entry_points(group="tillpost.plugins", name=name)
    module = importlib.import_module(f"{point.module}.promises")
    [found] = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, AdapterSuite) and each.plugin == name
    ]
    return found


def page() -> str:
    """The page's text."""
    lines = [HEAD, f"| adapter | {' | '.join(CAPABILITIES)} |", "|---" * (len(CAPABILITIES) + 1) + "|"]
    for name in adapters():
        gives = load_plugin(name).capabilities
        cells = ["yes" if capability in gives else "" for capability in CAPABILITIES]
        lines.append(f"| `{name}` | {' | '.join(cells)} |".replace("  ", " "))
    lines += ["", "## Promises", ""]
    lines += [
        "Each adapter keeps every promise of the suite (`tillpost plugin test NAME`) except those it waives:",
        "",
    ]
    lines += ["| adapter | waived | why |", "|---|---|---|"]
    for name in adapters():
        waivers = suite(name).waivers
        lines += [f"| `{name}` | `{promise}` | {reason} |" for promise, reason in waivers.items()]
        lines += [] if waivers else [f"| `{name}` | none | |"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

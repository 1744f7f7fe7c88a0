"""The promises of the adapter `receipts`: `tillpost plugin test receipts` tries them."""

from __future__ import annotations

import json

from tillpost.testing import AdapterSuite

_FINISHED = "the form holds finished sales only: who writes it leaves this out"


class TestReceipts(AdapterSuite):
    """What the form can say; who writes it decides what is a sale, and puts the offset into the time."""

    plugin = "receipts"
    writes_offset = True
    waivers = {
        "tax_on_top": "`paid` of the form has the tax in it, however it was laid on",
        "change_tender": "the form writes change in one way, as cash below zero",
        "void_line": _FINISHED,
        "void_link": _FINISHED,
        "edited": _FINISHED,
        "void_receipt": _FINISHED,
        "training": _FINISHED,
        "copy": _FINISHED,
        "suspended": _FINISHED,
        "void_after": "the form takes nothing back: what is undone later is a return of its own",
        "later": "the form has no time of an export or of a change",
        "dst_missing": "the form writes the offset of every time, and a time with an offset exists",
    }

    def repeat_line(self, count: int) -> bytes:
        """The line of `no_customer` so many times, at 1.00."""
        form = json.loads(self.sample("no_customer") or b"")
        form["lines"] = [form["lines"][0] | {"paid": "1.00"}] * count
        total = f"{count}.00"
        return json.dumps(form | {"total": total, "tenders": [{"type": "card", "amount": total}]}).encode()

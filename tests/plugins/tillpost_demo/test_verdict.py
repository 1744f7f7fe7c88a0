"""The judgement: it must find every way in which a day can have gone wrong."""

from decimal import Decimal
from typing import Any

from tillpost_demo.verdict import judge, totals_plain

Rows = list[dict[str, Any]]


def test_a_day_in_which_all_arrived_once_is_verified(accepted: Rows, stored: Rows) -> None:
    verdict = judge(accepted, stored)
    assert verdict.ok
    assert (verdict.accepted, verdict.by_api, verdict.by_file) == (60, 40, 20)
    assert verdict.total_accepted == verdict.total_sandbox == {"SEK": sum(Decimal(row["total"]) for row in accepted)}
    assert verdict.sentence().startswith("VERIFIED: 60 receipts")


def test_a_receipt_the_sandbox_does_not_hold_is_lost_whatever_the_journal_says(accepted: Rows, stored: Rows) -> None:
    missing = stored.pop(3)["uniqueReceiptId"]
    verdict = judge(accepted, stored)
    assert not verdict.ok
    assert verdict.lost == (missing,)
    assert verdict.sentence() == "NOT VERIFIED: of 60 receipts 1 lost"


def test_a_receipt_that_is_only_queued_is_lost(accepted: Rows, stored: Rows) -> None:
    stored[0]["status"] = "queued"
    assert judge(accepted, stored).lost == (accepted[0]["id"],)


def test_a_receipt_held_twice_is_duplicated(accepted: Rows, stored: Rows) -> None:
    verdict = judge(accepted, [*stored, stored[5]])
    assert not verdict.ok
    assert verdict.duplicated == (stored[5]["uniqueReceiptId"],)


def test_the_same_sale_under_a_second_id_is_duplicated_and_foreign(accepted: Rows, stored: Rows) -> None:
    verdict = judge(accepted, [*stored, stored[5] | {"uniqueReceiptId": "made-up"}], twins=1)
    assert verdict.duplicates == 1
    assert verdict.foreign == ("made-up",)
    assert not verdict.ok


def test_a_held_receipt_is_not_lost_and_yet_nothing_is_verified(accepted: Rows, stored: Rows) -> None:
    accepted[2]["state"] = "held"
    del stored[2]
    verdict = judge(accepted, stored)
    assert (verdict.lost, verdict.held) == ((), (accepted[2]["id"],))
    assert not verdict.ok


def test_a_held_receipt_of_no_readable_total_does_not_disturb_the_sums(accepted: Rows, stored: Rows) -> None:
    broken = accepted[0] | {"id": "broken_1", "state": "held", "total": "", "currency": ""}
    verdict = judge([*accepted, broken], stored)
    assert verdict.total_accepted == verdict.total_sandbox


def test_a_skipped_receipt_must_not_be_in_the_sandbox(accepted: Rows, stored: Rows) -> None:
    accepted[2]["state"] = "skipped"
    assert judge(accepted, stored).foreign == (accepted[2]["id"],)
    del stored[2]
    assert judge(accepted, stored).ok


def test_a_receipt_still_on_its_way_is_unsettled_although_it_arrived(accepted: Rows, stored: Rows) -> None:
    accepted[9]["state"] = "transferred"
    verdict = judge(accepted, stored)
    assert verdict.unsettled == (accepted[9]["id"],)
    assert not verdict.ok


def test_two_totals_that_are_wrong_by_the_same_cent_are_found_though_the_sums_agree(
    accepted: Rows, stored: Rows
) -> None:
    for row, cent in zip(stored[:2], (Decimal("0.01"), Decimal("-0.01")), strict=True):
        row["totalGrossPrice"] = str(Decimal(row["totalGrossPrice"]) + cent)
    verdict = judge(accepted, stored)
    assert verdict.total_accepted == verdict.total_sandbox
    assert len(verdict.differing) == 2
    assert not verdict.ok


def test_a_day_without_receipts_proves_nothing() -> None:
    assert not judge([], []).ok


def test_sums_of_one_currency_are_a_bare_decimal_and_of_several_are_named() -> None:
    assert totals_plain({"SEK": Decimal("1234.50")}) == "1234.50"
    assert totals_plain({"EUR": Decimal("1.00"), "SEK": Decimal("2.00")}) == "1.00 EUR, 2.00 SEK"

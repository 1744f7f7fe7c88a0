"""The outage as a state: transitions are pure functions of what was seen."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import attrs

from tillpost.flow import outage
from tillpost.flow.limits import RetryPolicy
from tillpost.journal import Tenant
from tillpost.model import Misconfigured, NotSent

RETRY = RetryPolicy(
    attempts=6,
    wait_initial=timedelta(seconds=10),
    wait_max=timedelta(seconds=300),
    confirm_after=timedelta(minutes=20),
)
DOWN = NotSent(reason="connection refused")


def fail(tenant: Tenant, times: int, now: float = 100.0) -> Tenant:
    for _ in range(times):
        tenant = outage.failed(tenant, DOWN, now, RETRY, Random(1))
    return tenant


def test_one_lost_call_is_no_outage() -> None:
    tenant = fail(Tenant(), 1)
    assert tenant.state == outage.ONLINE
    assert outage.reachable(tenant)
    assert answer(tenant, now=101.0).failures == 0


def test_three_failures_in_a_row_open_the_breaker_and_the_clock_runs_from_the_first() -> None:
    tenant = fail(fail(Tenant(), 1, now=100.0), 2, now=105.0)
    assert tenant.state == outage.DEGRADED
    assert tenant.unreachable_since == 100.0
    assert tenant.probe_due > 105.0
    assert not outage.reachable(tenant)


def test_file_mode_comes_after_the_configured_time_and_not_before() -> None:
    tenant = fail(Tenant(), 3)
    assert outage.file_mode(tenant, 100.0 + 899, 900.0).state == outage.DEGRADED
    later = outage.file_mode(tenant, 100.0 + 900, 900.0)
    assert (later.state, later.since) == (outage.FILE_MODE, 1000.0)


def answer(tenant: Tenant, *, now: float = 2001.0, files: bool = False, times: int = 1) -> Tenant:
    for _ in range(times):
        tenant = outage.answered(tenant, now, files, RETRY, Random(1))
    return tenant


def test_three_answers_in_a_row_end_file_mode_and_files_make_it_drain() -> None:
    """Hysteresis: one answer of a far side that is still falling over does not send the backlog at it."""
    tenant = outage.file_mode(fail(Tenant(), 3), 2000.0, 900.0)
    assert answer(tenant, times=3).state == outage.ONLINE
    draining = answer(tenant, files=True, times=3)
    assert (draining.state, draining.unreachable_since, draining.failures) == (outage.DRAINING, None, 0)


def test_until_then_it_stays_in_file_mode_says_why_and_asks_soon() -> None:
    tenant = answer(outage.file_mode(fail(Tenant(), 3), 2000.0, 900.0), times=2)
    assert (tenant.state, tenant.since, tenant.answers) == (outage.FILE_MODE, 2000.0, 2)
    assert "2 of 3" in tenant.reason
    assert 2001.0 < tenant.probe_due <= 2011.0
    assert tenant.unreachable_since == 100.0


def test_a_failure_among_the_answers_makes_them_count_from_the_start() -> None:
    tenant = answer(outage.file_mode(fail(Tenant(), 3), 2000.0, 900.0), times=2)
    tenant = fail(tenant, 1, now=2010.0)
    assert (tenant.state, tenant.answers, tenant.reason) == (outage.FILE_MODE, 0, DOWN.reason)
    assert answer(tenant, times=2).state == outage.FILE_MODE
    assert answer(tenant, times=3).state == outage.ONLINE


def test_before_files_are_written_a_single_answer_is_enough() -> None:
    assert answer(fail(Tenant(), 3)).state == outage.ONLINE


def test_draining_becomes_reconciling_becomes_online() -> None:
    tenant = Tenant(state=outage.DRAINING)
    tenant = outage.progressed(tenant, 10.0, to_upload=False, to_confirm=True)
    assert tenant.state == outage.RECONCILING
    assert outage.progressed(tenant, 20.0, to_upload=False, to_confirm=False).state == outage.ONLINE


def test_nothing_progresses_while_the_far_side_is_away() -> None:
    tenant = fail(Tenant(), 3)
    assert outage.progressed(tenant, 10.0, to_upload=True, to_confirm=True) == tenant


def test_a_wrong_key_pauses_and_never_leads_to_file_mode() -> None:
    tenant = outage.misconfigured(Tenant(), Misconfigured(reason="401"), 100.0, RETRY, Random(1))
    assert (tenant.state, tenant.unreachable_since) == (outage.PAUSED, None)
    assert outage.file_mode(tenant, 1e9, 900.0).state == outage.PAUSED
    assert answer(tenant, now=200.0).state == outage.ONLINE


def test_a_steady_answer_changes_nothing_and_writes_nothing() -> None:
    tenant = attrs.evolve(Tenant(), state=outage.ONLINE)
    assert answer(tenant, now=5.0) is tenant

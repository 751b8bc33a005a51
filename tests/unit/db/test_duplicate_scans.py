"""The moves of scans for look-alikes, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from app.db.duplicate_scans import (
    SILENT_AFTER,
    ClaimedScan,
    claim_scan,
    fail_scan,
    finish_scan,
    release_scan,
    report_scan,
    request_scan,
    scan_waits,
    stop_scan,
    take_back_scans,
)
from app.db.engine import get_sync_engine, write_transaction
from app.db.models import DuplicateScan, EmbeddingModel
from app.db.types import utc_now

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture(autouse=True)
def models(ledger: None) -> None:
    with write_transaction() as conn:
        for number in (1, 2):
            conn.execute(
                insert(EmbeddingModel).values(
                    id=number,
                    name=f"m{number}",
                    version="1",
                    weights_digest="x",
                    dimension=4,
                    collection=f"c{number}",
                    spec="builtin",
                )
            )


def do(move: Any, *arguments: Any) -> Any:
    with write_transaction() as conn:
        return move(conn, *arguments)


def row(model_id: int = 1) -> Any:
    with get_sync_engine().connect() as conn:
        query = select(DuplicateScan.__table__).where(DuplicateScan.model_id == model_id)
        return conn.execute(query).one()


def running(model_id: int = 1, worker: str = "w") -> ClaimedScan:
    do(request_scan, model_id, 0.9)
    claim = do(claim_scan, worker)
    assert claim.model_id == model_id
    return claim


def test_a_second_request_changes_nothing_until_the_end() -> None:
    do(request_scan, 1, 0.9)
    do(request_scan, 1, 0.8)
    assert row().threshold == 0.9
    claim = do(claim_scan, "w")
    do(request_scan, 1, 0.8)
    assert (row().threshold, row().state) == (0.9, "running")
    assert do(finish_scan, claim)
    assert (row().state, row().share, row().token) == ("done", 1.0, None)
    do(request_scan, 1, 0.8)
    assert (row().state, row().share, row().ended_at, row().started_at) == (
        "waiting",
        0,
        None,
        None,
    )


def test_one_scan_runs_at_a_time_the_oldest_first() -> None:
    do(request_scan, 2, 0.9)
    do(request_scan, 1, 0.9)
    first = do(claim_scan, "w")
    assert first.model_id == 2
    assert do(claim_scan, "v") is None
    assert do(scan_waits)
    do(finish_scan, first)
    assert do(claim_scan, "v").model_id == 1
    assert not do(scan_waits)


def test_of_many_that_claim_at_once_one_gets_it() -> None:
    do(request_scan, 1, 0.9)
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda number: do(claim_scan, f"w{number}"), range(8)))
    assert len([claim for claim in claims if claim is not None]) == 1


def test_whoever_lost_the_scan_writes_nothing() -> None:
    lost = running()
    assert do(report_scan, lost, 0.5)
    do(take_back_scans, [])
    assert (row().state, row().share, row().worker) == ("waiting", 0.0, None)
    held = do(claim_scan, "v")
    for move in (report_scan, release_scan):
        assert not do(move, lost, 0.9)
    assert not do(finish_scan, lost)
    assert not do(fail_scan, lost, "why")
    assert (row().state, row().share, row().worker) == ("running", 0.0, "v")
    assert do(report_scan, held, 0.1)


def test_only_what_a_dead_or_silent_worker_runs_is_taken_back() -> None:
    running(worker="alive")
    assert not do(take_back_scans, ["alive", "other"])
    with write_transaction() as conn:
        conn.execute(update(DuplicateScan).values(beat_at=utc_now() - 2 * SILENT_AFTER))
    assert do(take_back_scans, ["alive", "other"])
    claim = do(claim_scan, "alive")
    do(finish_scan, claim)
    assert not do(take_back_scans, [])


@pytest.mark.parametrize("begun", [False, True])
def test_a_stop_holds_at_once_and_for_whoever_runs_it(begun: bool) -> None:
    claim = running() if begun else None
    if not begun:
        do(request_scan, 1, 0.9)
    assert do(stop_scan, 1)
    assert row().state == "stopped"
    assert claim is None or not do(report_scan, claim, 0.5)
    assert do(claim_scan, "w") is None
    assert not do(stop_scan, 1)


def test_a_turn_that_ends_keeps_what_is_done_and_when_it_began() -> None:
    claim = running()
    began = row().started_at
    assert do(release_scan, claim, 0.4, "Qdrant does not answer.")
    assert (row().state, row().share, row().error) == ("waiting", 0.4, "Qdrant does not answer.")
    again = do(claim_scan, "w")
    assert again.requested_at == claim.requested_at
    assert (row().share, row().error, row().started_at) == (0.4, "", began)


def test_a_failure_says_why() -> None:
    assert do(fail_scan, running(), "KeyError: 3.")
    assert (row().state, row().error) == ("failed", "KeyError: 3.")
    assert row().ended_at is not None

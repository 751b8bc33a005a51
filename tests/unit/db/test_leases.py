"""Who holds what, for how long, and what a death says about a picture, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select, text, update
from sqlalchemy.exc import DBAPIError
from test_jobs import check_counters, claim, new_session, statuses

from app.db import clock, engine, jobs, removal, sessions
from app.db.clock import ledger_now
from app.db.engine import get_sync_engine, in_transaction, write_transaction
from app.db.errors import ledger_error
from app.db.models import ImageAsset, TrainingJob, TrainingSession
from app.db.settle import expire_leases
from app.db.types import utc_now

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture
def shared_server(ledger: None) -> None:
    """Only where several machines may share the ledger."""
    if get_sync_engine().dialect.name != "postgresql":
        pytest.skip("SQLite's writers take turns, by one machine's clock")


def die(worker: str = "w") -> None:
    with write_transaction() as conn:
        expire_leases(conn, dead_workers=[worker])


def crashes(session_id: int) -> list[int]:
    with get_sync_engine().connect() as conn:
        rows = select(TrainingJob.crashes).where(TrainingJob.session_id == session_id)
        return list(conn.scalars(rows.order_by(TrainingJob.id)))


# --- clocks -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("shared_server")
def test_a_machine_whose_clock_is_fast_takes_nothing_from_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session_id = new_session(3)
    claim(session_id)
    monkeypatch.setattr(clock, "utc_now", lambda: utc_now() + timedelta(minutes=2))
    with write_transaction() as conn:
        assert abs(ledger_now(conn) - utc_now()) < timedelta(seconds=30)
        assert expire_leases(conn) == 0
    claim(session_id, worker="fast")
    with write_transaction() as conn:
        jobs.renew_leases(conn, "w")
        ends = conn.scalars(select(TrainingJob.lease_expires_at)).all()
    assert max(ends) - min(ends) < timedelta(seconds=30)


# --- deaths -------------------------------------------------------------------------------------


def test_deaths_in_company_never_set_a_picture_aside() -> None:
    session_id = new_session(4)
    with get_sync_engine().connect() as conn:
        assets = list(conn.scalars(select(ImageAsset.id)))
    for _ in range(6):
        claim(session_id, asset_ids=assets)
        die()
    assert (statuses(session_id), crashes(session_id)) == ({"pending": 4}, [1] * 4)
    check_counters(session_id)


def test_only_the_one_that_was_alone_at_three_more_deaths_is_set_aside() -> None:
    session_id = new_session(4)
    claim(session_id)
    die()
    culprit = claim(session_id, poison=True).jobs[0]
    for _ in range(2):
        die()
        assert statuses(session_id) == {"pending": 4}
        claim(session_id, asset_ids=[culprit.asset_id])
    die()
    assert statuses(session_id) == {"failed": 1, "pending": 3}
    with get_sync_engine().connect() as conn:
        failed = conn.scalar(select(TrainingJob.id).where(TrainingJob.status == "failed"))
    assert failed == culprit.job_id
    check_counters(session_id)


def test_a_poison_picture_of_two_workers_is_alone_in_its_own() -> None:
    session_id = new_session(6)
    claim(session_id, 2, worker="other")
    die(worker="other")
    claim(session_id, 4)
    alone = claim(session_id, poison=True, worker="other").jobs[0]
    die(worker="other")
    assert statuses(session_id) == {"pending": 2, "running": 4}
    assert crashes(session_id) == [2, 1, 0, 0, 0, 0]
    assert alone.job_id == 1


def test_what_ran_out_is_left_alone_where_the_clock_is_in_doubt() -> None:
    session_id = new_session(2)
    claim(session_id)
    with write_transaction() as conn:
        conn.execute(update(TrainingJob).values(lease_expires_at=utc_now() - timedelta(hours=2)))
        assert expire_leases(conn, by_time=False) == 0
        jobs.renew_leases(conn, "w")
        assert expire_leases(conn) == 0


# --- locks --------------------------------------------------------------------------------------


class Beside:
    """Work in a transaction of another thread, up to an event."""

    def __init__(self, work: Callable[[Connection], object]) -> None:
        self.result: object = None
        self.error: Exception | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = in_transaction(self._work)
        except Exception as error:  # noqa: BLE001 - shown by end()
            self.error = error

    def end(self) -> object:
        self._thread.join(30)
        assert self.error is None, self.error
        return self.result


def until_somebody_waits() -> None:
    """Until a transaction waits for a lock of another one."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    for _ in range(500):
        with get_sync_engine().connect() as conn:
            if conn.scalar(waiting):
                return
        threading.Event().wait(0.02)
    raise AssertionError("nobody waits")


@pytest.mark.usefixtures("shared_server")
def test_a_retry_that_commits_in_the_same_moment_keeps_the_session_from_ending() -> None:
    session_id = new_session(3)
    with write_transaction() as conn:
        conn.execute(update(TrainingJob).values(status="failed"))
        conn.execute(update(TrainingSession).values(failed_images=3))
        assets = list(conn.scalars(select(ImageAsset.id)))
    with write_transaction() as conn:
        jobs.create_jobs(conn, session_id, assets)
        beside = Beside(lambda other: sessions.finish_session(other, session_id))
        until_somebody_waits()
    assert beside.end() is False
    assert statuses(session_id) == {"pending": 3}


@pytest.mark.usefixtures("shared_server")
@pytest.mark.parametrize("first", ["claim", "prune", "release", "expire"])
def test_removing_pictures_and_working_on_them_take_turns(first: str) -> None:
    session_id = new_session(6)
    claimed = claim(session_id, 3)
    with write_transaction() as conn:
        conn.execute(update(ImageAsset).values(missing_since=utc_now()))
        assets = list(conn.scalars(select(ImageAsset.id)))
    ways: dict[str, Callable[[Connection], object]] = {
        "claim": lambda conn: jobs.claim(conn, session_id, "v", 2, 10**9),
        "prune": lambda conn: removal.remove_assets(conn, assets),
        "release": lambda conn: jobs.release(conn, claimed),
        "expire": lambda conn: expire_leases(conn, dead_workers=["w"]),
    }
    others = [way for name, way in ways.items() if name != first]
    with write_transaction() as conn:
        ways[first](conn)
        beside = [Beside(way) for way in others]
        until_somebody_waits()
        conn.execute(select(TrainingJob.id).with_for_update())
    for each in beside:
        each.end()
    check_counters(session_id)


@pytest.mark.usefixtures("shared_server")
def test_a_deadlock_costs_a_repeat_and_no_more() -> None:
    one, other = new_session(0), new_session(0)
    both_hold = threading.Barrier(2)
    tries: list[int] = []

    def lock(first: int, second: int) -> Callable[[Connection], int]:
        def work(conn: Connection) -> int:
            tries.append(first)
            sessions.lock_session(conn, first)
            if len(tries) <= 2:
                both_hold.wait(10)
            sessions.lock_session(conn, second)
            return first

        return work

    ways = [Beside(lock(one, other)), Beside(lock(other, one))]
    assert [way.end() for way in ways] == [one, other]
    assert len(tries) > 2


@pytest.fixture
def impatient_server(monkeypatch: pytest.MonkeyPatch, shared_server: None) -> Iterator[None]:
    monkeypatch.setattr(engine, "IDLE_WITHIN_S", 0.3)
    get_sync_engine().dispose()
    get_sync_engine.cache_clear()
    yield
    get_sync_engine().dispose()
    get_sync_engine.cache_clear()


@pytest.mark.usefixtures("impatient_server")
def test_who_stands_still_in_a_transaction_blocks_the_others_for_a_moment_only() -> None:
    session_id = new_session(4)

    def stand_still(conn: Connection) -> None:
        jobs.claim(conn, session_id, "stopped", 2, 10**9)
        assert len(claim(session_id, 4).jobs) == 4  # waits until the server cuts the other off
        conn.execute(select(TrainingJob.id))

    with pytest.raises(DBAPIError) as cut:
        in_transaction(stand_still)
    trouble = ledger_error(cut.value)
    assert trouble is not None
    assert trouble.transient
    assert claim(session_id).jobs == ()  # and works again


@pytest.mark.usefixtures("shared_server")
def test_a_connection_that_was_cut_while_nobody_used_it_is_opened_again() -> None:
    session_id = new_session(2)
    with get_sync_engine().connect() as conn:
        cut = text(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND application_name = 'afterimage'"
        )
        conn.execute(cut)
    assert len(claim(session_id).jobs) == 2

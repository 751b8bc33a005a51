"""The queue server in Python, which takes the place of Valkey where none comes with the program."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from following import draw_pictures, finished, progress_of, until, verify_with_own_store
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.serializers import JSONSerializer

from app.api.training_schemas import SessionConfig, TrainingSessionCreate
from app.queue.ask import WorkerAwayError
from app.queue.connection import (
    LoopbackServer,
    address_file,
    close_redis,
    embedded_server,
    get_redis,
    write_address,
)
from app.queue.reconcile import reconcile
from app.runtime import loopback, redis_server, valkey
from app.runtime.redis_server import ensure_redis, stop_redis
from app.runtime.supervisor import Supervisor
from app.services.backend import Backend


@pytest.fixture(autouse=True)
def no_valkey(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(valkey, "find_spec", lambda _name: None)
    yield
    loopback.end_server()
    redis_server._note_ended_children()


def running() -> LoopbackServer:
    server = embedded_server()
    assert isinstance(server, LoopbackServer)
    return server


def said_to(port: int, words: bytes) -> bytes:
    """What the server answers before it hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(words)
        answer = b""
        with suppress(ConnectionResetError):
            while part := connection.recv(100):
                answer += part
        return answer


def wait_for_end(pid: int, within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while psutil.pid_exists(pid):
        assert time.monotonic() < deadline, "it did not end"
        redis_server._note_ended_children()  # a child stays until it was waited for
        time.sleep(0.02)


def test_it_starts_is_used_again_and_ends_once_nobody_is_connected() -> None:
    ensure_redis()
    server = running()
    assert get_redis().ping()
    ensure_redis()
    assert running() == server
    stop_redis()
    assert get_redis().ping()  # others still use it
    close_redis()
    wait_for_end(server.pid)
    ensure_redis()
    assert running().pid != server.pid
    stop_redis()


def test_it_ends_although_one_that_waited_for_a_job_was_killed() -> None:
    ensure_redis()
    server = running()
    waiting = socket.create_connection(("127.0.0.1", server.port))
    password = server.password.encode()
    waiting.sendall(b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n" % (len(password), password))
    waiting.sendall(b"*3\r\n$5\r\nBLPOP\r\n$1\r\nq\r\n$3\r\n600\r\n")
    assert waiting.recv(5) == b"+OK\r\n"
    stop_redis()
    waiting.close()
    wait_for_end(server.pid)


@pytest.mark.parametrize(
    "words",
    [
        b"PING\r\n" * 20,
        b"*2\r\n$4\r\nAUTH\r\n$43\r\n" + b"x" * 43 + b"\r\n*1\r\n$4\r\nPING\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: everything that there is\r\n\r\n",
    ],
)
def test_who_does_not_know_the_password_gets_no_answer(words: bytes) -> None:
    ensure_redis()
    assert said_to(running().port, words) == b""
    assert get_redis().ping()


def test_nobody_else_can_reach_it() -> None:
    ensure_redis()
    server = running()
    assert address_file().stat().st_mode & 0o777 == 0o600
    listening = [
        end.laddr
        for end in psutil.Process(server.pid).net_connections("all")
        if end.status == psutil.CONN_LISTEN
    ]
    assert listening == [("127.0.0.1", server.port)]
    assert server.password not in " ".join(psutil.Process(server.pid).cmdline())


def test_another_program_at_its_port_is_told_nothing() -> None:
    ensure_redis()
    server = running()
    with socket.create_server(("127.0.0.1", 0)) as other:
        write_address(LoopbackServer(other.getsockname()[1], server.password, server.pid))
        with pytest.raises(RedisConnectionError):
            get_redis().ping()
        accepted, _ = other.accept()
        with accepted:
            assert accepted.recv(100) == b""
    write_address(server)


def test_what_rq_needs_of_a_server_it_has() -> None:
    ensure_redis()
    redis = get_redis()
    threading.Timer(0.1, lambda: redis.rpush("second", "line\nbreak")).start()
    assert redis.blpop(["first", "second"], 5) == (b"second", b"line\nbreak")
    threading.Timer(0.1, lambda: redis.xadd("answers", {"a": "b"})).start()
    ((_stream, ((_id, answer),)),) = redis.xread({"answers": "0-0"}, block=5000)
    assert answer == {b"a": b"b"}
    with pytest.raises(ResponseError):
        redis.execute_command("NONSENSE")
    assert redis.client_info()["addr"].startswith("127.0.0.1:")
    queue = Queue("q", connection=redis, serializer=JSONSerializer)
    queue.enqueue("os.getpid", job_id="once", unique=True)
    with pytest.raises(DuplicateJobError):
        queue.enqueue("os.getpid", job_id="once", unique=True)


def test_a_wait_can_be_ended_from_outside() -> None:
    ensure_redis()
    waiter = get_redis(600)
    number = waiter.client_id()
    ended = threading.Event()
    thread = threading.Thread(target=lambda: (waiter.blpop(["never"], 60), ended.set()))
    thread.start()
    while not get_redis().client_unblock(number):
        assert thread.is_alive()
        time.sleep(0.01)
    assert ended.wait(5)
    thread.join()


async def test_a_session_is_indexed_and_searched_and_outlives_its_queue(
    backend: Backend, warm_workers: None, tmp_path: Path
) -> None:
    draw_pictures(tmp_path / "many", 120, seed="loopback")
    supervisor = Supervisor(lambda name: reconcile([name]))
    supervisor.start()
    try:
        async with backend.db() as db:
            session = await backend.training.create_session(
                db,
                TrainingSessionCreate(
                    rootPath=str(tmp_path / "many"), config=SessionConfig(batch_size=4)
                ),
            )
            await backend.training.enqueue_training(db, session.id)

        async def some_done() -> bool:
            return (await progress_of(backend, session.id)).jobsSummary.completed >= 8

        await until(some_done)
        lost = running()
        os.kill(lost.pid, signal.SIGKILL)
        done = await finished(backend, session.id)
        assert (done.status, done.jobsSummary.completed) == ("completed", 120)

        async def answered() -> bool:
            try:
                report = await backend.system.verify(sample=5)
            except WorkerAwayError:  # the queue may not be back yet
                return False
            return report.problems == []

        await until(answered)
        assert running().pid != lost.pid
    finally:
        await asyncio.to_thread(supervisor.stop)
        close_redis()
    assert verify_with_own_store().problems == []

"""Processes that decode: whatever happens in one costs its picture, and nothing is left of them."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from app.api.error_kinds import ErrorKind
from app.pictures import decoder_limits
from app.pictures import decoders as module
from app.pictures.decode import DecodedPicture, PictureError, PixelSpec, read_file
from app.pictures.decoder_limits import Limits, Watch, killed_for_memory, limits_for
from app.pictures.decoders import Decoders, Done
from app.pictures.fork_server import Spawner, Starter, Stopped

MB = 1024**2
LIMITS = Limits(memory=200 * MB, memory_alone=400 * MB)
WITHIN_S = 30
HANG = b"while True: pass"
HANG_IN_C = b"__import__('re').match('(a+)+$', 40 * 'a' + 'b')"  # which lets no other thread run

Make = Callable[..., Decoders]


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def make(stop: threading.Event) -> Iterator[Make]:
    """Makes decoders whose processes are all gone at the end."""
    made: list[Decoders] = []

    def decoders(starter: Starter | None = None, **limits: float) -> Decoders:
        made.append(Decoders(replace(LIMITS, **limits), stop, starter))
        return made[-1]

    before = processes()
    yield decoders
    for each in made:
        each.close()
    assert processes() == before


def processes() -> set[int]:
    return {each.pid for each in psutil.Process().children(recursive=True) if runs(each)}


def runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def failure(decoders: Decoders, code: bytes) -> PictureError:
    error = decoders.run(0, exec, code).error
    assert error is not None
    return error


def noting(file: Path, code: str) -> bytes:
    """Code that leaves a line in ``file`` at each try."""
    return f"open({str(file)!r}, 'a').write('tried\\n')\n{code}".encode()


def tries(file: Path) -> int:
    return len(file.read_text().splitlines())


# --- what they do ---------------------------------------------------------------------------------


def test_a_result_comes_back_and_the_processor_time_it_took(make: Make) -> None:
    data = os.urandom(5 * MB)
    done = make().run(0, zlib.crc32, data, 1)
    assert done.result() == zlib.crc32(data, 1)
    assert 0 < done.ms < 10_000


def test_where_the_system_cannot_fork_each_is_started_anew(make: Make) -> None:
    decoders = make(Spawner(LIMITS.memory_alone))
    data = os.urandom(5 * MB)
    assert decoders.run(0, zlib.crc32, data).result() == zlib.crc32(data)
    error = failure(decoders, b"import os; os.kill(os.getpid(), 11)")
    assert str(error) == "The decoder crashed on this picture (SIGSEGV)."
    assert decoders.run(0, eval, b"'torch' in __import__('sys').modules").result() is False
    decoders.close()
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]  # not on Windows


def test_a_process_is_used_again_and_none_is_started_before_it_is_needed(make: Make) -> None:
    before = processes()
    decoders = make()
    decoders.rest()
    assert processes() == before
    own_id = b"__import__('os').getpid()"
    assert len({decoders.run(0, eval, own_id).result() for _ in range(5)}) == 1


def test_what_is_wrong_with_a_picture_is_told_in_its_own_words(make: Make) -> None:
    decoders = make()
    code = b"from app.pictures.raw import UnknownRawError\nraise UnknownRawError"
    error = failure(decoders, code)
    assert (error.kind, str(error)) == (
        ErrorKind.UNSUPPORTED,
        "This is a camera RAW file of a kind that this program cannot read.",
    )


def test_what_nobody_foresaw_is_told_with_its_trace(make: Make) -> None:
    error = failure(make(), b"def broken(): 1 / 0\nbroken()")
    assert error.kind is ErrorKind.INTERNAL
    assert str(error) == "Decoding failed with an unexpected error, ZeroDivisionError."
    assert "in broken" in error.__notes__[0]


def test_the_model_is_not_loaded_in_them_and_they_stand_behind_it(make: Make) -> None:
    decoders = make()
    loaded = (
        b"[name for name in ('torch', 'sqlalchemy', 'PIL') if name in __import__('sys').modules]"
    )
    assert decoders.run(3, eval, loaded).result() == ["PIL"]
    niceness = b"__import__('os').getpriority(0, 0)"
    here = os.getpriority(os.PRIO_PROCESS, 0)
    assert decoders.run(3, eval, niceness).result() == min(here + 3, 19)
    assert decoders.run(0, eval, niceness).result() == here


# --- what may happen to them ----------------------------------------------------------------------


def test_a_crash_costs_one_picture_which_is_tried_twice(make: Make, tmp_path: Path) -> None:
    decoders = make()
    crash = noting(tmp_path / "tries", "import os; os.kill(os.getpid(), 11)")
    error = failure(decoders, crash)
    assert error.kind is ErrorKind.CORRUPT
    assert str(error) == "The decoder crashed on this picture (SIGSEGV)."
    assert tries(tmp_path / "tries") == 2
    assert decoders.run(0, eval, b"1 + 1").result() == 2


def test_a_process_that_somebody_kills_costs_nothing(make: Make, tmp_path: Path) -> None:
    once = noting(
        tmp_path / "tries",
        f"import os\nif len(open({str(tmp_path / 'tries')!r}).readlines()) == 1:\n"
        "    os.kill(os.getpid(), 9)",
    )
    assert make().run(0, exec, once).error is None
    assert tries(tmp_path / "tries") == 2


def killing_itself(file: Path, times: int) -> bytes:
    """Code that is killed so often, and then ends well."""
    return noting(
        file,
        f"import os\nif len(open({str(file)!r}).readlines()) <= {times}:\n"
        "    os.kill(os.getpid(), 9)",
    )


@pytest.mark.skipif(killed_for_memory() is None, reason="the system does not tell whom it killed")
def test_whoever_is_killed_again_and_again_but_not_for_memory_is_not_at_fault(
    make: Make, tmp_path: Path
) -> None:
    decoders = make()
    assert decoders.run(0, exec, killing_itself(tmp_path / "tries", 5)).error is None
    assert tries(tmp_path / "tries") == 6
    error = failure(decoders, killing_itself(tmp_path / "always", 99))
    assert error.kind is ErrorKind.OUT_OF_MEMORY
    assert tries(tmp_path / "always") == 1 + module.KILLED_AT_MOST


@pytest.mark.parametrize("counts", [itertools.count(), itertools.repeat(None)])
def test_whoever_may_have_been_killed_for_memory_is_tried_twice(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counts: Iterator[int | None]
) -> None:
    monkeypatch.setattr(module, "killed_for_memory", lambda: next(counts))
    error = failure(make(), killing_itself(tmp_path / "tries", 5))
    assert error.kind is ErrorKind.OUT_OF_MEMORY
    assert tries(tmp_path / "tries") == 2


def test_a_process_that_was_killed_while_it_had_nothing_to_do_costs_nothing(make: Make) -> None:
    decoders = make()
    process = decoders.run(0, eval, b"__import__('os').getpid()").result()
    os.kill(process, signal.SIGKILL)
    assert decoders.run(0, eval, b"1 + 1").result() == 2


def test_several_that_were_killed_while_they_had_nothing_to_do_cost_nothing(
    make: Make, tmp_path: Path
) -> None:
    decoders = make()
    own_id = b"(__import__('time').sleep(0.2), __import__('os').getpid())[1]"
    with ThreadPoolExecutor(3) as threads:
        tasks = [threads.submit(decoders.run, 0, eval, own_id) for _ in range(3)]
    for task in tasks:
        os.kill(task.result().result(), signal.SIGKILL)
    tried = tmp_path / "tried"
    assert decoders.run(0, exec, noting(tried, "")).error is None
    assert tries(tried) == 1


def test_a_fork_server_that_was_killed_is_started_again(make: Make) -> None:
    decoders = make()
    parent = decoders.run(0, eval, b"__import__('os').getppid()").result()
    psutil.Process(parent).kill()
    assert decoders.run(0, eval, b"1 + 1").result() == 2
    assert decoders.run(1, eval, b"1 + 1").result() == 2


@pytest.mark.parametrize("code", [HANG, HANG_IN_C])
def test_a_picture_that_takes_too_much_processor_time_is_given_up(
    make: Make, tmp_path: Path, code: bytes
) -> None:
    decoders = make(processor_s=0.2)
    error = failure(decoders, noting(tmp_path / "tries", code.decode()))
    assert error.kind is ErrorKind.TOO_SLOW
    assert str(error) == "Decoding takes more than 0.2 seconds of processor time."
    assert tries(tmp_path / "tries") == 1
    assert decoders.run(0, eval, b"1 + 1").result() == 2


def test_a_process_that_stands_still_is_given_up_at_the_second_try(
    make: Make, tmp_path: Path
) -> None:
    error = failure(make(stalled_s=0.2), noting(tmp_path / "tries", "import time; time.sleep(99)"))
    assert error.kind is ErrorKind.TOO_SLOW
    assert str(error) == "The decoder made no progress for 0.2 seconds."
    assert tries(tmp_path / "tries") == 2


def test_a_process_that_hardly_gets_the_processor_ends_some_time(make: Make) -> None:
    error = failure(make(wall_s=0.2), HANG)
    assert str(error) == "Decoding takes more than 0.2 seconds of time."


def taking(megabytes: int, file: Path) -> bytes:
    """Code that takes memory bit by bit, as a decoder does row by row."""
    code = f"import time\nheld = []\nfor _ in range({megabytes // 10}):\n"
    return noting(file, code + "    held.append(b'x' * 10485760); time.sleep(0.01)")


def test_a_picture_that_takes_much_memory_is_tried_once_more_with_more(
    make: Make, tmp_path: Path
) -> None:
    assert make().run(0, exec, taking(300, tmp_path / "tries")).error is None
    assert tries(tmp_path / "tries") == 2


def test_a_picture_that_takes_too_much_memory_fails(make: Make, tmp_path: Path) -> None:
    error = failure(make(), taking(900, tmp_path / "tries"))
    assert error.kind is ErrorKind.OUT_OF_MEMORY
    assert str(error) == "Decoding takes more than 400 MB of memory."
    assert tries(tmp_path / "tries") == 2


@pytest.mark.skipif(sys.platform != "linux", reason="others have no limit of the address space")
def test_memory_that_is_asked_for_at_once_is_refused(make: Make) -> None:
    error = failure(make(), b"bytearray(10 * 1024**3)")
    assert error.kind is ErrorKind.OUT_OF_MEMORY


def test_the_file_itself_does_not_count_as_memory_of_its_decoder(make: Make) -> None:
    assert make().run(0, len, bytes(250 * MB)).result() == 250 * MB


def test_one_picture_at_a_time_may_take_much_memory(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoders, lock, at_once = make(), threading.Lock(), [0, 0]
    real = decoders._try

    def watched(niceness: int, task: object, data: bytes, memory: int) -> Any:
        if memory == LIMITS.memory:
            return real(niceness, task, data, memory)
        with lock:
            at_once[0] += 1
            at_once[1] = max(at_once)
        try:
            return real(niceness, task, data, memory)
        finally:
            with lock:
                at_once[0] -= 1

    monkeypatch.setattr(decoders, "_try", watched)
    with ThreadPoolExecutor(3) as threads:
        codes = [taking(300, tmp_path / str(number)) for number in range(3)]
        assert [threads.submit(decoders.run, 0, exec, code).result().error for code in codes] == (
            [None] * 3
        )
    assert at_once == [0, 1]


@pytest.mark.parametrize("processes", [1, 4, 66])
def test_all_limits_together_leave_memory_to_others(
    monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    for total in (4, 8, 16, 64, 1024):
        monkeypatch.setattr(decoder_limits, "_memory", lambda total=total: total * 1024 * MB)
        limits = limits_for(processes, 200)
        assert limits.memory_alone <= total * 1024 * MB / 4
        assert limits.memory >= 256 * MB
        if processes * 512 <= total * 1024:
            assert processes * limits.memory + limits.memory_alone <= total * 1024 * MB / 2


# --- files that they read -------------------------------------------------------------------------

SPEC = PixelSpec(32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    Image.new("RGB", (40, 30), "red").save(path)
    return path


def red(done: Done[DecodedPicture]) -> bool:
    return bool((done.result().pixels == (255, 0, 0)).all())


def test_the_process_that_reads_a_file_decodes_it_and_no_content_comes_back(
    make: Make, file: Path
) -> None:
    written = read_file(str(file))
    with make().read(0, str(file)) as opened:
        assert opened.content == replace(written, data=b"")
        file.unlink()  # it is in that process
        assert red(opened.decode(SPEC, 200))


def test_a_process_that_has_read_serves_nobody_else_until_the_file_is_closed(
    make: Make, file: Path
) -> None:
    decoders = make()
    own_id = b"__import__('os').getpid()"
    with decoders.read(0, str(file)) as opened:
        other = decoders.run(0, eval, own_id).result()
        assert other != opened._decoder.process
        assert red(opened.decode(SPEC, 200))
    free = {decoder.process for decoder in decoders._free[0]}
    assert free == {other, opened._decoder.process}


def test_what_keeps_a_file_from_being_read_is_told(make: Make, tmp_path: Path) -> None:
    decoders = make()
    for _ in range(2):
        with pytest.raises(PictureError) as caught:
            decoders.read(0, str(tmp_path / "gone.png"))
        assert caught.value.kind is ErrorKind.MISSING
    assert len(decoders._free[0]) == 1


def test_a_process_that_dies_after_reading_costs_no_picture(make: Make, file: Path) -> None:
    decoders = make()
    with decoders.read(0, str(file)) as opened:
        os.kill(opened._decoder.process, signal.SIGKILL)
        assert red(opened.decode(SPEC, 200))
    with decoders.read(0, str(file)) as opened:
        assert red(opened.decode(SPEC, 200))


def test_a_file_that_changed_before_another_process_reads_it_is_not_taken_for_the_first(
    make: Make, file: Path
) -> None:
    with make().read(0, str(file)) as opened:
        os.kill(opened._decoder.process, signal.SIGKILL)
        Image.new("RGB", (40, 30), "blue").save(file)
        error = opened.decode(SPEC, 200).error
    assert error is not None
    assert error.kind is ErrorKind.BUSY


def test_a_disk_may_take_longer_than_a_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**6))  # a look each second
    monkeypatch.setattr(decoder_limits.time, "monotonic", lambda: next(clock))

    def look_often(limits: Limits) -> None:
        watch = Watch(lambda: (0.0, 0), limits, MB, threading.Event())
        for _ in range(100):
            watch()

    look_often(decoder_limits.PATIENT)
    with pytest.raises(PictureError, match="no progress for 20 seconds"):
        look_often(LIMITS)


# --- how they end ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [HANG, HANG_IN_C, b"__import__('time').sleep(99)"])
def test_a_stop_waits_for_no_decoder(
    make: Make, stop: threading.Event, tmp_path: Path, code: bytes
) -> None:
    decoders = make()
    with ThreadPoolExecutor(3) as threads:
        files = [tmp_path / str(number) for number in range(3)]
        waiting = [
            threads.submit(decoders.run, 0, exec, noting(file, code.decode())) for file in files
        ]
        while not all(file.exists() for file in files):
            assert not any(future.done() for future in waiting)
            time.sleep(0.01)
        stop.set()
        assert all(isinstance(future.exception(WITHIN_S), Stopped) for future in waiting)
    with pytest.raises(Stopped):
        decoders.run(0, eval, b"1 + 1")
    decoders.close()
    assert processes() == set()


def test_an_exception_in_the_thread_that_waits_ends_its_process(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    class TimeIsUp(Exception):
        pass

    def out_of_time(_watch: object) -> None:
        raise TimeIsUp

    decoders = make()
    monkeypatch.setattr(Watch, "__call__", out_of_time)
    with pytest.raises(TimeIsUp):
        decoders.run(0, exec, HANG)
    assert decoders._free[0] == []


_WORKER = """
import sys, threading
from app.pictures.decoder_limits import limits_for
from app.pictures.decoders import Decoders
print("the main module runs", flush=True)
decoders = Decoders(limits_for(2, 200), threading.Event())
hang = b"import os; os.write(1, b'x'); open({file!r}, 'a').write(f'{{os.getpid()}} '); {code}"
for _ in range(2):
    threading.Thread(target=decoders.run, args=(9, exec, hang)).start()
"""


@pytest.mark.parametrize("code", ["__import__('time').sleep(99)", HANG_IN_C.decode()])
def test_nothing_is_left_once_the_worker_was_killed(tmp_path: Path, code: str) -> None:
    script, ids = tmp_path / "worker.py", tmp_path / "ids"
    script.write_text(_WORKER.format(file=str(ids), code=code))
    worker = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    while not ids.exists() or len(ids.read_text().split()) < 2:
        assert worker.poll() is None
        time.sleep(0.01)
    family = psutil.Process(worker.pid).children(recursive=True)
    assert len(family) >= 3  # two that hang, and the fork server
    assert {int(number) for number in ids.read_text().split()} < {p.pid for p in family}
    worker.kill()
    said, _ = worker.communicate()
    assert said == b"the main module runs\n"  # once: no process of ours loads it again
    deadline = time.monotonic() + WITHIN_S
    while any(map(runs, family)):
        assert time.monotonic() < deadline
        time.sleep(0.01)

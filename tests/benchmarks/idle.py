"""What the program costs while nobody uses it: processor time and memory, window and worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.config import get_settings
from app.db.liveness import STATE_NAME

SETTLE_S = 15.0
MEASURE_S = 30.0
READY_WITHIN_S = 60.0
REPOSITORY = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True)
class Idle:
    """Processor time in percent of one core, over half a minute, and megabytes of 10⁶ bytes."""

    cpu_percent: float
    window_mb: float
    worker_mb: float


def idle() -> Idle:
    """Start the program, leave it alone, and look at all its processes."""
    program = subprocess.Popen([sys.executable, "-m", "app"], cwd=REPOSITORY)
    try:
        _until_ready()
        time.sleep(SETTLE_S)
        window = psutil.Process(program.pid)
        processes = [window, *window.children(recursive=True)]
        began, before = time.perf_counter(), sum(map(_cpu_seconds, processes))
        time.sleep(MEASURE_S)
        used = sum(map(_cpu_seconds, processes)) - before
        elapsed = time.perf_counter() - began
        workers = [process for process in processes if "worker" in process.cmdline()]
        return Idle(100 * used / elapsed, _megabytes(window), sum(map(_megabytes, workers)))
    finally:
        program.send_signal(signal.SIGTERM)
        program.wait()


def _until_ready() -> None:
    state = get_settings().run_dir / STATE_NAME
    deadline = time.monotonic() + READY_WITHIN_S
    while not state.exists():
        if time.monotonic() > deadline:
            raise TimeoutError("the worker was not ready in time")
        time.sleep(0.1)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1e6


if __name__ == "__main__":
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    print(idle())

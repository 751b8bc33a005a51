"""One download in a thread, of a model or of the engine, and how far it is for whoever asks."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from app.api.model_schemas import ModelDownload
from app.errors import AppError
from app.logs import log_unforeseen
from app.transfer import DownloadProgress, OnProgress

_RATE_WINDOW_S = 10.0
_ESTIMATE_AFTER_S = 1.0
"""A rate over less time than this says too little to promise a time left."""


class RunningDownload:
    """Made in the event loop, run in a thread, looked at from anywhere.

    Args:
        expected: bytes of the whole, until the hub has said how many there are.
    """

    def __init__(self, expected: int) -> None:
        self.stop = threading.Event()
        self.begun = False
        self._expected = expected
        self._progress: DownloadProgress | None = None
        self._samples: deque[tuple[float, int]] = deque()
        self._error: AppError | None = None
        self._complete = False

    @property
    def failed(self) -> bool:
        return self._error is not None

    def run(self, fetch: Callable[[OnProgress, threading.Event], object | None]) -> None:
        """Download; what a person can act on is kept for :meth:`state`.

        Args:
            fetch: does it; it tells the first argument how far it is, ends soon once the second is
                set, and returns None where it was stopped.
        """
        if self.stop.is_set():
            return
        self.begun = True
        try:
            self._complete = fetch(self._note, self.stop) is not None
        except AppError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 — nobody waits for this thread's errors
            self._error = log_unforeseen(error)

    def _note(self, progress: DownloadProgress) -> None:
        """Called in the download's thread."""
        now = time.monotonic()
        if self._progress is None or progress.phase != self._progress.phase:
            self._samples.clear()
        self._samples.append((now, progress.done))
        while now - self._samples[0][0] > _RATE_WINDOW_S:
            self._samples.popleft()
        self._progress = progress

    def state(self) -> ModelDownload:
        """How it is at this moment."""
        progress = self._progress or DownloadProgress("connecting", 0, 0)
        total = progress.total or self._expected
        if self._error is not None:
            return ModelDownload(
                phase="failed",
                doneBytes=progress.done,
                totalBytes=total,
                message=self._error.message,
                hint=self._error.hint,
            )
        if self._complete or self.stop.is_set():
            phase = "done" if self._complete else "stopped"
            return ModelDownload.model_validate(
                {"phase": phase, "doneBytes": progress.done, "totalBytes": total}
            )
        rate = self._rate() if progress.phase == "downloading" else None
        return ModelDownload(
            phase=progress.phase if self.begun else "waiting",
            doneBytes=progress.done,
            totalBytes=total,
            bytesPerSecond=rate,
            secondsLeft=max(total - progress.done, 0) / rate if rate and total else None,
        )

    def _rate(self) -> float | None:
        samples = list(self._samples)
        if not samples:
            return None
        (start, first), (end, last) = samples[0], samples[-1]
        seconds = end - start
        return (last - first) / seconds if seconds >= _ESTIMATE_AFTER_S and last > first else None

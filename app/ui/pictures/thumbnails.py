"""Small pictures of files: looked up beside the window's thread, asked of the worker, and kept.

No picture is decoded here. Thumbnails are made by the worker, or another program has made them; a
look is a glance at the picture's file and one small PNG file.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QObject, QRunnable, Qt, QThreadPool, QTimer, Signal
from PySide6.QtGui import QImage, QPixmap

from app.errors import AppError
from app.pictures.thumbnail_paths import made_edge
from app.ui.pictures.thumbnail_files import read_thumbnail

if TYPE_CHECKING:
    from app.queue.thumbnail_requests import ThumbnailRequests

CACHE_BYTES = 96_000_000
FRESH_S = 30.0
"""What is older is still shown, and looked at again when it is: the file may have changed."""
WAITING = 240
"""More tiles than this fit no screen: the oldest have scrolled away and are dropped."""
THREADS = 2
BATCH = 8
"""Pictures in one request: few, so that the first of them are seen soon."""
REQUESTS = 2
"""The worker goes on with one while the other's pictures are shown."""
TICK_MS = 50
"""How long requests are gathered, and how often it is asked whether they are answered."""
REST_MS = 3000
"""Pause where nobody answers, because the worker starts or is gone."""
PAINTED_TOGETHER_S = 0.05
"""What is asked for within this time was painted together: its first is fetched first."""

Key = tuple[str, int]


class _Kept(NamedTuple):
    pixmap: QPixmap
    at: float


class _Reply(NamedTuple):
    answers: dict[str, bool]
    sent: str
    """The id of the request that was made, if one was."""


class ThumbnailLoader(QObject):
    """Thumbnails by path and size; what was asked for last comes first.

    A view asks :meth:`get` while it paints and repaints when ``ready`` names its file.
    """

    ready = Signal(str)
    """A thumbnail came, or there can be none, or it is worth asking again."""

    _loaded = Signal(object, object)
    _replied = Signal(object)

    def __init__(self, service: ThumbnailRequests, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._service = service
        self._load_pool, self._exchange_pool = QThreadPool(self), QThreadPool(self)
        self._load_pool.setMaxThreadCount(THREADS)
        self._exchange_pool.setMaxThreadCount(1)
        self._cache: OrderedDict[Key, _Kept] = OrderedDict()
        self._bytes = 0
        self._waiting: OrderedDict[Key, float] = OrderedDict()
        """To be looked up, each with the order in which it was asked for."""
        self._loading: dict[Key, float] = {}
        self._wanted: OrderedDict[Key, float] = OrderedDict()
        """To be made."""
        self._asked: dict[str, list[Key]] = {}
        """What is being made, by request."""
        self._sending: list[Key] = []
        self._answered: set[Key] = set()
        """Has been made, or cannot be: to be looked up for the last time."""
        self._put_off: set[str] = set()
        self._exchanging = False
        self._tick = QTimer(self, interval=TICK_MS)
        self._tick.timeout.connect(self._start_exchange)
        self._rest = QTimer(self, interval=REST_MS, singleShot=True)
        self._rest.timeout.connect(self._try_again)
        self._loaded.connect(self._take_loaded, Qt.ConnectionType.QueuedConnection)
        self._replied.connect(self._take_reply, Qt.ConnectionType.QueuedConnection)

    def get(self, path: str, edge: int) -> QPixmap | None:
        """The thumbnail, or None while it is on its way; null where there can be none.

        Args:
            path: the file.
            edge: the longest side, in device pixels.
        """
        key = (path, edge)
        kept = self._cache.get(key)
        if kept is not None:
            self._cache.move_to_end(key)
            if time.monotonic() - kept.at < FRESH_S:
                return kept.pixmap
        if key not in self._loading and key not in self._being_made():
            _put_last(self._wanted if key in self._wanted else self._waiting, key, _order())
            self._load_next()
        return kept.pixmap if kept else None

    def cancel_waiting(self) -> None:
        """Forget what was asked for and has not begun: something else is shown now."""
        self._waiting.clear()
        self._wanted.clear()
        self._answered &= self._loading.keys()

    def close(self) -> None:
        """Read and ask no more, and wait for what has begun."""
        self.cancel_waiting()
        self._asked, self._sending = {}, []
        self._tick.stop()
        self._rest.stop()
        self._load_pool.waitForDone()
        self._exchange_pool.waitForDone()
        self._loading.clear()

    @property
    def pending(self) -> int:
        """Thumbnails that are not there yet."""
        return sum(map(len, (self._waiting, self._loading, self._wanted, self._being_made())))

    def _being_made(self) -> list[Key]:
        return [*self._sending, *(key for keys in self._asked.values() for key in keys)]

    # Loading

    def _load_next(self) -> None:
        while self._waiting and len(self._loading) < THREADS:
            key = max(self._waiting, key=self._waiting.__getitem__)
            self._wanted.pop(key, None)
            self._loading[key] = self._waiting.pop(key)
            self._load_pool.start(_Load(self, key))

    def _take_loaded(self, key: Key, image: QImage | None) -> None:
        order = self._loading.pop(key, None)
        if order is None:  # closed meanwhile
            return
        last = key in self._answered
        self._answered.discard(key)
        if image is None and not last:
            _put_last(self._wanted, key, order)
            if not self._rest.isActive() and not self._tick.isActive():
                self._tick.start()
        else:
            self._keep(key, QPixmap() if image is None else QPixmap.fromImage(image))
            self.ready.emit(key[0])
        self._load_next()

    def _keep(self, key: Key, pixmap: QPixmap) -> None:
        if (before := self._cache.pop(key, None)) is not None:
            self._bytes -= _cost(before.pixmap)
        self._cache[key] = _Kept(pixmap, time.monotonic())
        self._bytes += _cost(pixmap)
        while self._bytes > CACHE_BYTES and len(self._cache) > 1:
            _, dropped = self._cache.popitem(last=False)
            self._bytes -= _cost(dropped.pixmap)

    # Asking

    def _start_exchange(self) -> None:
        """Ask for some thumbnails, and whether those asked for earlier are made."""
        if self._exchanging:
            return
        self._sending = self._next_batch() if len(self._asked) < REQUESTS else []
        if not self._sending and not self._asked:
            self._tick.stop()
            return
        self._exchanging = True
        self._exchange_pool.start(_Exchange(self, self._service, list(self._asked), self._sending))

    def _next_batch(self) -> list[Key]:
        """What was painted last, from its first on; no file twice at once."""
        busy = {path for path, _edge in self._being_made()}
        batch: list[Key] = []
        for key in sorted(self._wanted, key=self._wanted.__getitem__, reverse=True):
            fits = not batch or made_edge(key[1]) == made_edge(batch[0][1])
            if fits and key[0] not in busy:
                batch.append(key)
                if len(batch) == BATCH:
                    break
        for key in batch:
            del self._wanted[key]
        return batch

    def _take_reply(self, reply: _Reply | None) -> None:
        """What was heard of the worker; None: the queue does not answer."""
        self._exchanging = False
        put_off: list[Key] = []
        if reply is None:
            put_off = self._being_made()
            self._asked.clear()
        else:
            if reply.sent:
                self._asked[reply.sent] = self._sending
            for request, answered in reply.answers.items():
                keys = self._asked.pop(request, [])
                if not answered:
                    put_off += keys
                    continue
                for key in keys:
                    self._answered.add(key)
                    _put_last(self._waiting, key, _order())
        self._sending = []
        if put_off:
            self._put_off |= {path for path, _edge in put_off}
            self._tick.stop()
            self._rest.start()
        self._load_next()

    def _try_again(self) -> None:
        """What is still in sight is asked for again by the views."""
        paths, self._put_off = self._put_off, set()
        for path in paths:
            self.ready.emit(path)
        self._tick.start()


class _Load(QRunnable):
    """One thumbnail, in a thread of the pool."""

    def __init__(self, loader: ThumbnailLoader, key: Key) -> None:
        super().__init__()
        self._loader, self._key = loader, key

    def run(self) -> None:
        image = read_thumbnail(*self._key)
        with suppress(RuntimeError):  # the loader went meanwhile
            self._loader._loaded.emit(self._key, image)


class _Exchange(QRunnable):
    """One exchange with the queue, in a thread of the pool."""

    def __init__(
        self,
        loader: ThumbnailLoader,
        service: ThumbnailRequests,
        asked: list[str],
        batch: list[Key],
    ) -> None:
        super().__init__()
        self._loader, self._service = loader, service
        self._asked, self._batch = asked, batch

    def run(self) -> None:
        reply: _Reply | None = None
        with suppress(AppError):
            reply = self._exchange()
        with suppress(RuntimeError):  # the loader went meanwhile
            self._loader._replied.emit(reply)

    def _exchange(self) -> _Reply:
        answers = self._service.answered(self._asked) if self._asked else {}
        if not self._batch:
            return _Reply(answers, "")
        paths = list(dict.fromkeys(path for path, _edge in self._batch))
        return _Reply(answers, self._service.request(paths, made_edge(self._batch[0][1])))


def _order() -> float:
    return time.monotonic() // PAINTED_TOGETHER_S


def _put_last(line: OrderedDict[Key, float], key: Key, order: float) -> None:
    """At the end of a line, which stays so short that nothing in it is out of sight for long."""
    line[key] = order
    line.move_to_end(key)
    while len(line) > WAITING:
        line.popitem(last=False)


def _cost(pixmap: QPixmap) -> int:
    return pixmap.width() * pixmap.height() * 4 + 256

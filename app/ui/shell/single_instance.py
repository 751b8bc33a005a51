"""One window for each data folder: a second start brings the first one to the front.

While the first one is quitting, the second waits for its end, and then opens.
"""

from __future__ import annotations

import os
import time

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

ANSWER_WITHIN_MS = 500
GONE_WITHIN_S = 10.0
"""So long a second start waits for the end of the first; quitting takes two seconds at most."""
AGAIN_S = 0.05
_RAISE, _ANSWER, _LEAVING = b"raise\n", b"here\n", b"leaving\n"


class SingleInstance(QObject):
    """``claim`` says whether this process is the first; later ones make it emit ``raised``."""

    raised = Signal()
    given = Signal(str)
    """The path that a later one was started with."""

    def __init__(self, name: str, path: str = "", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._request = _RAISE + os.fsencode(path)
        self._leaving = False
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._greet)

    def claim(self) -> bool:
        """Become the one instance; False where another one runs and was told to come forward."""
        if self._is_served():
            return False
        if not self._server.listen(self._name):
            # Nobody answered, so the socket is what a killed process left behind.
            QLocalServer.removeServer(self._name)
            if not self._server.listen(self._name):
                return not self._is_served()
        return True

    def leave(self) -> None:
        """This one is quitting: later ones wait until it is gone, instead of raising it."""
        self._leaving = True

    def release(self) -> None:
        """Let another process be the one instance."""
        self._server.close()

    def _is_served(self) -> bool:
        """Another one runs and was told to come forward; where it is quitting, it is awaited."""
        deadline = time.monotonic() + GONE_WITHIN_S
        while (answer := self._knock()) == _LEAVING and time.monotonic() < deadline:
            time.sleep(AGAIN_S)
        return answer != b""

    def _knock(self) -> bytes:
        """What another one answers; empty where there is none."""
        socket = QLocalSocket(self)
        socket.connectToServer(self._name)
        answer = b""
        if socket.waitForConnected(ANSWER_WITHIN_MS):
            socket.write(self._request)
            socket.waitForBytesWritten(ANSWER_WITHIN_MS)
            socket.waitForReadyRead(ANSWER_WITHIN_MS)
            answer = bytes(socket.readAll().data())
            if not answer:
                # A window that is busy for a moment still holds the socket: it reads this later.
                there = socket.state() == QLocalSocket.LocalSocketState.ConnectedState
                answer = _ANSWER if there else _LEAVING
        socket.abort()
        socket.deleteLater()
        return answer

    def _greet(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.readyRead.connect(self._read)
            socket.disconnected.connect(socket.deleteLater)
            if socket.bytesAvailable():
                self._answer(socket)

    def _read(self) -> None:
        socket = self.sender()
        if isinstance(socket, QLocalSocket):
            self._answer(socket)

    def _answer(self, socket: QLocalSocket) -> None:
        request = bytes(socket.readAll().data())
        if request.startswith(_RAISE):
            socket.write(_LEAVING if self._leaving else _ANSWER)
            socket.flush()
            if not self._leaving:
                self.raised.emit()
                if path := os.fsdecode(request.removeprefix(_RAISE)):
                    self.given.emit(path)

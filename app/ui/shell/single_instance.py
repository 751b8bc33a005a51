"""One window for each data folder: a second start brings the first one to the front."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

ANSWER_WITHIN_MS = 500
_RAISE, _ANSWER = b"raise\n", b"here\n"


class SingleInstance(QObject):
    """``claim`` says whether this process is the first; later ones make it emit ``raised``."""

    raised = Signal()

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._greet)

    def claim(self) -> bool:
        """Become the one instance; False where another one runs and was told to come forward."""
        if self._knock():
            return False
        if not self._server.listen(self._name):
            # Nobody answered, so the socket is what a killed process left behind.
            QLocalServer.removeServer(self._name)
            if not self._server.listen(self._name):
                return not self._knock()
        return True

    def release(self) -> None:
        """Let another process be the one instance."""
        self._server.close()

    def _knock(self) -> bool:
        socket = QLocalSocket(self)
        socket.connectToServer(self._name)
        answered = False
        if socket.waitForConnected(ANSWER_WITHIN_MS):
            socket.write(_RAISE)
            socket.waitForBytesWritten(ANSWER_WITHIN_MS)
            # A window that is busy for a moment still holds the socket: it will read this later.
            answered = True
            socket.waitForReadyRead(ANSWER_WITHIN_MS)
        socket.abort()
        socket.deleteLater()
        return answered

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
        if bytes(socket.readAll().data()).startswith(_RAISE):
            socket.write(_ANSWER)
            socket.flush()
            self.raised.emit()

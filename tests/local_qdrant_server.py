"""What stands in for a Qdrant server, which no package index has: its REST calls over HTTP.

    python tests/local_qdrant_server.py PORT_FILE [FOLDER]

It answers the calls that the program makes, with qdrant-client's own local mode behind them, in a
process of its own, so that several workers can share it. It shows nothing of a real server's
engine, speed or durability; ``TEST_QDRANT_URL`` runs the tests of the store against a real one.

With a folder it keeps its points there, and started again it takes the port that the file names.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from qdrant_client import QdrantClient, models

warnings.simplefilter("ignore", UserWarning)  # local mode says that it has no indexes

VERSION = "1.17.0"
"""Of the server that this stands in for."""

_client = QdrantClient(":memory:")
_lock = threading.Lock()
_away = threading.Event()

Answer = Callable[[str, dict[str, Any]], Any]


def _exists(name: str, _body: dict[str, Any]) -> Any:
    return {"exists": _client.collection_exists(name)}


def _create(name: str, body: dict[str, Any]) -> Any:
    if _client.collection_exists(name):
        raise FileExistsError(name)
    vectors = models.VectorParams.model_validate(body["vectors"])
    return _client.create_collection(name, vectors_config=vectors)


def _info(name: str, _body: dict[str, Any]) -> Any:
    return _client.get_collection(name)


def _index(name: str, body: dict[str, Any]) -> Any:
    return _client.create_payload_index(name, body["field_name"], body["field_schema"])


def _list(_name: str, _body: dict[str, Any]) -> Any:
    return _client.get_collections()


def _drop(name: str, _body: dict[str, Any]) -> Any:
    return _client.delete_collection(name)


def _upsert(name: str, body: dict[str, Any]) -> Any:
    condition = body.get("update_filter")
    return _client.upsert(
        name,
        models.Batch.model_validate(body["batch"]),
        update_filter=models.Filter.model_validate(condition) if condition else None,
    )


def _update(name: str, body: dict[str, Any]) -> Any:
    operations = [
        models.OverwritePayloadOperation.model_validate(operation)
        for operation in body["operations"]
    ]
    return _client.batch_update_points(name, operations)


def _retrieve(name: str, body: dict[str, Any]) -> Any:
    return _client.retrieve(name, body["ids"], with_payload=False, with_vectors=body["with_vector"])


def _scroll(name: str, body: dict[str, Any]) -> Any:
    points, following = _client.scroll(
        name, limit=body["limit"], offset=body.get("offset"), with_payload=False
    )
    return models.ScrollResult(points=points, next_page_offset=following)


def _delete(name: str, body: dict[str, Any]) -> Any:
    return _client.delete(name, models.PointIdsList(points=body["points"]))


def _count(name: str, body: dict[str, Any]) -> Any:
    return _client.count(name, exact=body["exact"])


def _query(name: str, body: dict[str, Any]) -> Any:
    chosen = models.Filter.model_validate(body["filter"]) if body.get("filter") else None
    return _client.query_points(
        name,
        query=body["query"]["nearest"],
        limit=body["limit"],
        offset=body.get("offset"),
        query_filter=chosen,
        with_payload=False,
    )


_ANSWERS: dict[tuple[str, str], Answer] = {
    ("GET", "exists"): _exists,
    ("PUT", ""): _create,
    ("GET", ""): _info,
    ("DELETE", ""): _drop,
    ("PUT", "index"): _index,
    ("PUT", "points"): _upsert,
    ("POST", "points"): _retrieve,
    ("POST", "points/scroll"): _scroll,
    ("POST", "points/batch"): _update,
    ("POST", "points/delete"): _delete,
    ("POST", "points/count"): _count,
    ("POST", "points/query"): _query,
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        if _away.is_set():
            self.close_connection = True
            return
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        # /, /collections, /collections/NAME or /collections/NAME/WHAT
        path = unquote(urlsplit(self.path).path)
        if path == "/":
            self._send(200, {"title": "qdrant - vector search engine", "version": VERSION})
            return
        path = path.removeprefix("/collections").strip("/")
        name, _, what = path.partition("/")
        answer = _ANSWERS[self.command, what] if name else _list
        try:
            with _lock:
                result = answer(name, body)
            status, said = 200, {"result": _plain(result), "status": "ok", "time": 0.0}
        except FileExistsError:
            status, said = 409, {"status": {"error": "already exists"}, "time": 0.0}
        except ValueError as error:  # an unknown collection
            status, said = 404, {"status": {"error": str(error)}, "time": 0.0}
        self._send(status, said)

    def _send(self, status: int, said: dict[str, Any]) -> None:
        data = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = _answer

    def log_message(self, *_: Any) -> None: ...


def _plain(result: Any) -> Any:
    if isinstance(result, list):
        return [_plain(item) for item in result]
    return result.model_dump(mode="json") if hasattr(result, "model_dump") else result


def main(port_file: Path, folder: str = "") -> None:
    """Serve until killed; the port is written to a file once it is known."""
    global _client
    signal.signal(signal.SIGUSR1, lambda *_: _away.set())
    signal.signal(signal.SIGUSR2, lambda *_: _away.clear())
    if folder:
        _client = QdrantClient(path=folder, force_disable_check_same_thread=True)
    port = int(port_file.read_text()) if port_file.exists() else 0
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    partial = port_file.with_suffix(".partial")
    partial.write_text(str(server.server_port))
    partial.replace(port_file)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])

"""Downloads against a small hub on this computer: broken, resumed, checked, stopped, refused."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from drawn_model import DRAWN_MODEL
from filelock import FileLock
from huggingface_hub import constants
from local_hub import LocalHub, local_hub

from app import transfer
from app.embedding.download import download
from app.embedding.weights import (
    downloaded,
    find_weights,
    partly_downloaded,
    remove,
    weights_folder,
)
from app.errors import AppError
from app.transfer import DownloadProgress

SPEC, PATH = "tiny/v1", "someone/tiny/"
FILE = "someone/tiny/open_clip_model.safetensors"
WEIGHTS = Path(DRAWN_MODEL, "open_clip_model.safetensors").read_bytes()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(transfer, "_PAUSE_SECONDS", 0.01)
    with local_hub(monkeypatch) as hub:
        hub.files[FILE] = WEIGHTS
        yield hub


def names() -> list[str]:
    """What lies in the model's folder, but for the lock."""
    folder = weights_folder(SPEC)
    return sorted(path.name for path in folder.iterdir() if path.name != "download.lock")


def test_a_download_is_the_file_and_tells_how_far_it_is(hub: LocalHub) -> None:
    seen: list[DownloadProgress] = []
    path = download(SPEC, PATH, seen.append)
    assert path == downloaded(SPEC) == find_weights(SPEC, PATH)
    assert path.read_bytes() == WEIGHTS
    assert names() == ["open_clip_model.safetensors"]
    assert seen[0].phase == "connecting"
    assert seen[-1] == DownloadProgress("checking", len(WEIGHTS), len(WEIGHTS))
    done = [part.done for part in seen if part.phase == "downloading"]
    assert done == sorted(done)
    assert done[-1] == len(WEIGHTS)
    asked = len(hub.requests)
    assert download(SPEC, PATH) == path
    assert len(hub.requests) == asked  # the hub is not asked again


def test_a_broken_connection_is_taken_up_where_it_broke(hub: LocalHub) -> None:
    hub.break_after = [1_000_000, 2_000_000]
    path = download(SPEC, PATH)
    assert path is not None
    assert path.read_bytes() == WEIGHTS
    assert hub.ranges() == ["bytes=0-", "bytes=1000000-", "bytes=3000000-"]


def test_a_connection_that_stays_broken_keeps_what_is_there(hub: LocalHub) -> None:
    hub.break_after = [1_000_000, 0, 0, 0, 0]
    with pytest.raises(AppError, match="lost at 1 MB of 6 MB") as caught:
        download(SPEC, PATH)
    assert "resumes from there" in caught.value.hint
    assert partly_downloaded(SPEC) == 1_000_000
    assert downloaded(SPEC) is None
    hub.requests.clear()
    assert download(SPEC, PATH) is not None
    assert hub.ranges() == ["bytes=1000000-"]


def test_a_stopped_download_goes_on_later(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "REPORT_EVERY_SECONDS", 0)  # what is here comes within less
    stop = threading.Event()

    def stop_half_way(progress: DownloadProgress) -> None:
        if progress.phase == "downloading" and progress.done >= 1_000_000:
            stop.set()

    hub.hold_after = 2_000_000
    assert download(SPEC, PATH, stop_half_way, stop) is None
    begun = partly_downloaded(SPEC)
    assert 1_000_000 <= begun <= 2_100_000
    assert download(SPEC, PATH, stop=stop) is None
    hub.hold_after = None
    hub.requests.clear()
    path = download(SPEC, PATH)
    assert path is not None
    assert path.read_bytes() == WEIGHTS
    assert hub.ranges() == [f"bytes={begun}-"]


def test_a_server_that_knows_no_ranges_sends_all_of_it_again(hub: LocalHub) -> None:
    hub.break_after = [1_000_000]
    hub.knows_ranges = False
    path = download(SPEC, PATH)
    assert path is not None
    assert path.read_bytes() == WEIGHTS


def reply(status: int, body: bytes, **headers: str) -> Callable[..., None]:
    """Answers every download with the same."""

    def answer(handler: BaseHTTPRequestHandler, _content: bytes, _start: int) -> None:
        handler.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


PAGE = b"<html>Blocked by your administrator</html>"


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, PAGE),
        reply(206, PAGE),
        reply(200, PAGE, Content_Type="text/html; charset=utf-8"),
        reply(206, WEIGHTS[5:], Content_Range=f"bytes 5-{len(WEIGHTS) - 1}/{len(WEIGHTS)}"),
        reply(200, WEIGHTS + b"more"),
    ],
)
def test_something_else_than_the_file_is_refused_and_costs_nothing_that_is_here(
    hub: LocalHub, answer: Callable[..., None]
) -> None:
    hub.break_after = [1_000_000, 0, 0, 0, 0]
    with pytest.raises(AppError, match="connection was lost"):
        download(SPEC, PATH)
    hub.requests.clear()
    hub.instead = answer
    with pytest.raises(AppError, match="sent something other than the file") as caught:
        download(SPEC, PATH)
    assert "proxy" in caught.value.hint
    assert len(hub.ranges()) == 2
    assert partly_downloaded(SPEC) == 1_000_000
    assert downloaded(SPEC) is None
    hub.instead = None
    assert download(SPEC, PATH) is not None


def test_a_page_of_unknown_length_never_gets_longer_than_the_file(hub: LocalHub) -> None:
    def endless(handler: BaseHTTPRequestHandler, content: bytes, _start: int) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        for _ in range(2):
            handler.wfile.write(bytes(len(content)))

    hub.instead = endless
    # where a piece ends just where the file would, the checksum tells
    with pytest.raises(AppError, match=r"something other than the file|is damaged"):
        download(SPEC, PATH)
    assert partly_downloaded(SPEC) <= len(WEIGHTS)
    assert downloaded(SPEC) is None


def test_bodies_that_get_shorter_and_shorter_come_to_an_end(hub: LocalHub) -> None:
    lengths = [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1]

    def shorter(handler: BaseHTTPRequestHandler, content: bytes, start: int) -> None:
        handler.send_response(206)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(content[start:][: lengths.pop(0) if lengths else 0])

    hub.instead = shorter
    with pytest.raises(AppError, match="lost at 1 MB of 6 MB"):
        download(SPEC, PATH)
    assert len(hub.ranges()) == 6


def test_a_server_that_knows_no_ranges_and_always_breaks_off_comes_to_an_end(
    hub: LocalHub,
) -> None:
    hub.knows_ranges = False
    hub.break_after = [1_000_000] * 20
    with pytest.raises(AppError, match="connection was lost"):
        download(SPEC, PATH)
    assert len(hub.ranges()) == 5


@pytest.mark.parametrize("status", [401, 403, 404, 407])
def test_a_refusal_is_not_asked_again(hub: LocalHub, status: int) -> None:
    hub.instead = reply(status, PAGE)
    with pytest.raises(AppError, match=f"answered with status {status}"):
        download(SPEC, PATH)
    assert len(hub.ranges()) == 1


def test_endless_redirects_come_to_an_end(hub: LocalHub) -> None:
    hub.instead = reply(302, b"", Location=f"/{FILE}")
    with pytest.raises(AppError, match="could not be downloaded"):
        download(SPEC, PATH)


def test_a_portal_that_answers_for_the_hub_is_told_from_a_hub(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SimpleNamespace(size=len(PAGE), etag="abc", commit_hash=None)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *_, **__: found)
    with pytest.raises(AppError, match="does not name a file"):
        download(SPEC, PATH)
    assert hub.requests == []


def test_a_wrong_checksum_is_refused_and_nothing_of_it_kept(hub: LocalHub) -> None:
    hub.etag = "0" * 64
    with pytest.raises(AppError, match="damaged: its checksum is not") as caught:
        download(SPEC, PATH)
    assert "Try again" in caught.value.hint
    assert names() == []
    with pytest.raises(AppError, match="damaged"):
        download(SPEC, PATH)
    assert names() == []
    hub.etag = ""
    assert download(SPEC, PATH) is not None


def test_a_hub_that_tells_no_checksum_is_taken_at_its_size(hub: LocalHub) -> None:
    hub.etag = "abc"
    assert download(SPEC, PATH) is not None


def test_another_version_is_not_put_behind_the_rest_of_the_old_one(hub: LocalHub) -> None:
    hub.break_after = [1_000_000] + [0] * 5
    with pytest.raises(AppError):
        download(SPEC, PATH)
    hub.break_after = []
    hub.files[FILE] = WEIGHTS[::-1]
    path = download(SPEC, PATH)
    assert path is not None
    assert path.read_bytes() == WEIGHTS[::-1]
    assert names() == ["open_clip_model.safetensors"]


def test_weights_without_a_safe_copy_and_weights_under_another_name(hub: LocalHub) -> None:
    hub.files = {"someone/tiny/open_clip_pytorch_model.bin": b"old", "other/pytorch_model.bin": b""}
    path = download(SPEC, PATH)
    assert path is not None
    assert path.name == "open_clip_pytorch_model.bin"
    hub.files = {"someone/big/pytorch_model.bin": b"named"}
    path = download("big/v1", "someone/big/pytorch_model.bin")
    assert path is not None
    assert path.read_bytes() == b"named"
    with pytest.raises(AppError, match="someone/none has no weights for it"):
        download("none/v1", "someone/none/")


@pytest.mark.parametrize("status", [403, 429, 500])
def test_a_hub_that_refuses_is_quoted(hub: LocalHub, status: int) -> None:
    hub.status = status
    with pytest.raises(AppError, match=f"127.0.0.1:.* answered: .*{status}"):
        download(SPEC, PATH)


def test_without_a_network_a_sentence_says_what_to_do(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = "http://127.0.0.1:9/{repo_id}/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", nowhere)
    with pytest.raises(AppError, match=r"127\.0\.0\.1:9 cannot be reached") as caught:
        download(SPEC, PATH)
    assert "Connect to the internet" in caught.value.hint
    assert "built-in model" in caught.value.hint
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(AppError, match="HF_HUB_OFFLINE is set"):
        download(SPEC, PATH)


def test_too_little_room_is_said_before_it_begins(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "ROOM_TO_SPARE", 10**18)
    with pytest.raises(AppError, match=r"not enough space .*6 MB needed"):
        download(SPEC, PATH)
    assert hub.ranges() == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_disk_that_fills_up_is_said_and_the_file_kept(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open = Path.open

    def open_full(path: Path, *arguments: Any, **more: Any) -> Any:
        return real_open(Path("/dev/full") if "partial" in path.name else path, *arguments, **more)

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(AppError, match=r"the disk of .*models is full") as caught:
        download(SPEC, PATH)
    assert "Free some space" in caught.value.hint


def test_a_folder_that_cannot_be_written_is_named(
    hub: LocalHub, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir.mkdir()
    (data_dir / "models").write_text("in the way")
    with pytest.raises(AppError, match="models cannot be written"):
        download(SPEC, PATH)
    (data_dir / "models").unlink()

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(AppError, match=r"cannot be written \(Permission denied\)"):
        download(SPEC, PATH)


def test_two_downloads_of_one_model_fetch_it_once(hub: LocalHub) -> None:
    hub.hold_after = 1_000_000
    first = threading.Thread(target=download, args=(SPEC, PATH))
    first.start()
    assert hub.held.wait(30)
    seen: list[DownloadProgress] = []
    got: list[Path | None] = []
    waits = threading.Event()

    def look(progress: DownloadProgress) -> None:
        seen.append(progress)
        waits.set()

    second = threading.Thread(target=lambda: got.append(download(SPEC, PATH, look)))
    second.start()
    assert waits.wait(30)
    with pytest.raises(AppError, match="is being downloaded"):
        remove(SPEC)
    hub.go_on.set()
    first.join()
    second.join()
    assert got == [downloaded(SPEC)]
    assert seen[0].phase == "downloading"
    assert hub.ranges() == ["bytes=0-"]


def test_removing_frees_the_room_and_leaves_nothing(hub: LocalHub) -> None:
    assert remove(SPEC) == 0
    download(SPEC, PATH)
    assert remove(SPEC) == len(WEIGHTS)
    assert not weights_folder(SPEC).exists()
    assert downloaded(SPEC) is None


def test_a_lock_that_was_left_behind_holds_nothing_up(hub: LocalHub) -> None:
    lock = FileLock(weights_folder(SPEC) / "download.lock")
    weights_folder(SPEC).mkdir(parents=True)
    with lock:
        pass
    (weights_folder(SPEC) / "download.lock").touch()
    assert download(SPEC, PATH) is not None


def test_weights_that_another_program_downloaded_are_found(hub: LocalHub, tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--someone--big"
    snapshot = repository / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("c0ffee")
    (snapshot / "pytorch_model.bin").touch()
    assert find_weights("big/v1", "someone/big/") is None
    assert find_weights("big/v1", "someone/big/pytorch_model.bin") == snapshot / "pytorch_model.bin"
    for name in ("open_clip_pytorch_model.bin", "open_clip_model.safetensors"):
        (snapshot / name).touch()
        assert find_weights("big/v1", "someone/big/") == snapshot / name

"""An engine comes from an index on this computer, or from a folder: whole, checked and tried."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from local_hub import LocalHub
from small_wheels import BROKEN, TEST, engine, forget_the_engine, serve

from app import transfer
from app.engine import install as module
from app.engine import place
from app.engine.install import downloaded_bytes, install, remove, used_bytes
from app.engine.lock import Variant
from app.engine.place import current, engines_folder, find_engine, remove_others
from app.errors import AppError
from app.transfer import DownloadProgress


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_the_engine(monkeypatch)
    monkeypatch.setattr(transfer, "_PAUSE_SECONDS", 0.01)


@pytest.fixture
def variant(wheels: Path, hub: LocalHub) -> Variant:
    made = engine(wheels)
    serve(hub, wheels)
    return made


def get(variant: Variant, hub: LocalHub, **options: Any) -> place.Engine | None:
    return install(variant, {"local": f"{hub.url}/simple"}, TEST, **options)


def left_over() -> set[str]:
    """What lies in the folder of engines, but for the lock."""
    return {path.name for path in engines_folder().iterdir()} - {"install.lock"}


def test_an_engine_is_downloaded_tried_and_found(variant: Variant, hub: LocalHub) -> None:
    assert not find_engine()
    seen: list[DownloadProgress] = []
    got = get(variant, hub, on_progress=seen.append)
    assert got is not None
    assert got == current()
    assert left_over() == {"current", got.name}
    assert {part.phase for part in seen} >= {"downloading", "checking", "unpacking", "testing"}
    assert max(part.done for part in seen if part.phase == "downloading") == variant.download
    assert find_engine()
    import small_torch  # type: ignore[import-not-found]

    assert small_torch.answer == 42
    assert used_bytes() == variant.unpacked


def test_an_engine_that_is_here_is_not_got_again(variant: Variant, hub: LocalHub) -> None:
    get(variant, hub)
    hub.requests.clear()
    assert get(variant, hub) == current()
    assert hub.requests == []


def test_a_broken_download_is_taken_up_where_it_broke(variant: Variant, hub: LocalHub) -> None:
    page = 10_000  # a page of links is shorter than that
    hub.break_after = [page, 100_000]
    assert get(variant, hub) is not None
    assert "bytes=100000-" in hub.ranges()


def test_a_stopped_installation_goes_on_later(variant: Variant, hub: LocalHub) -> None:
    stop = threading.Event()

    def stop_half_way(progress: DownloadProgress) -> None:
        if progress.phase == "downloading" and progress.done >= 100_000:
            stop.set()

    assert get(variant, hub, on_progress=stop_half_way, stop=stop) is None
    assert current() is None
    begun = downloaded_bytes(variant)
    assert begun >= 100_000
    assert used_bytes() == begun
    hub.requests.clear()
    assert get(variant, hub) is not None
    assert f"bytes={begun}-" in hub.ranges() or begun >= variant.wheels[0].size


def test_a_stop_ends_the_test_too(variant: Variant, hub: LocalHub) -> None:
    stop = threading.Event()

    def stop_at_test(progress: DownloadProgress) -> None:
        if progress.phase == "testing":
            stop.set()

    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    index = {"local": f"{hub.url}/simple"}
    assert install(variant, index, sleeper, on_progress=stop_at_test, stop=stop) is None
    assert current() is None
    assert left_over() >= {"wheels"}


def test_without_a_network_a_sentence_says_what_to_do(variant: Variant) -> None:
    with pytest.raises(AppError, match=r"127\.0\.0\.1:9 cannot be reached") as caught:
        install(variant, {"local": "http://127.0.0.1:9/simple"}, TEST)
    for word in ("internet", "HTTPS_PROXY", "--wheels"):
        assert word in caught.value.hint


def test_a_proxy_is_used(
    variant: Variant, hub: LocalHub, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.files.clear()
    serve(hub, wheels, "http://index.invalid/simple")
    monkeypatch.setenv("HTTP_PROXY", hub.url)
    monkeypatch.setenv("NO_PROXY", "")
    assert install(variant, {"local": "http://index.invalid/simple"}, TEST) is not None


def test_an_index_that_no_longer_has_a_file_says_so(variant: Variant, hub: LocalHub) -> None:
    hub.files["simple/torch/"] = b"<html><a href='torch-9-py3-none-any.whl'>new</a></html>"
    with pytest.raises(AppError, match=r"no longer has torch-2\.0") as caught:
        get(variant, hub)
    assert "newer version" in caught.value.hint


def test_an_index_that_refuses_is_quoted(variant: Variant, hub: LocalHub) -> None:
    hub.status = 503
    with pytest.raises(AppError, match="answered with status 503"):
        get(variant, hub)


def test_a_file_with_another_checksum_is_refused(variant: Variant, hub: LocalHub) -> None:
    name = f"files/{variant.wheels[0].file}"
    hub.files[name] = bytes(len(hub.files[name]))
    with pytest.raises(AppError, match="engine is damaged: its checksum"):
        get(variant, hub)
    assert current() is None


def test_too_little_room_is_said_before_it_begins(
    variant: Variant, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "ROOM_TO_SPARE", 10**18)
    with pytest.raises(AppError, match="not enough space for the engine"):
        get(variant, hub)
    assert hub.requests == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_disk_that_fills_up_while_it_is_unpacked_is_said(
    variant: Variant, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open = Path.open

    def open_full(path: Path, *arguments: Any, **more: Any) -> Any:
        full = path.name == "data.bin"
        return real_open(Path("/dev/full") if full else path, *arguments, **more)

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(AppError, match=r"the disk of .*engine is full"):
        get(variant, hub)
    assert current() is None
    assert left_over() == {"wheels"}  # what was downloaded is kept, what was unpacked is not
    monkeypatch.undo()


def test_a_folder_that_cannot_be_written_is_named(
    variant: Variant, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(module, "make_private_folder", refuse)
    with pytest.raises(AppError, match=r"engine cannot be written \(Permission denied\)"):
        get(variant, hub)


def test_an_engine_that_does_not_work_is_not_used_and_the_old_one_stays(
    variant: Variant, hub: LocalHub, wheels: Path
) -> None:
    old = get(variant, hub)
    assert old is not None
    broken = engine(wheels, "3.0", BROKEN)
    serve(hub, wheels)
    with pytest.raises(AppError, match=r"does not work .* libcuda\.so is missing") as caught:
        get(broken, hub)
    assert "download is kept" in caught.value.hint
    assert current() == old
    assert left_over() == {"current", old.name, "wheels", "test.log"}


def test_a_newer_engine_takes_the_place_of_the_old_one_once_it_works(
    variant: Variant, hub: LocalHub, wheels: Path
) -> None:
    old = get(variant, hub)
    newer = engine(wheels, "3.0")
    serve(hub, wheels)
    seen: list[place.Engine | None] = []
    new = get(newer, hub, on_progress=lambda _: seen.append(current()))
    assert set(seen) == {old}
    assert current() == new
    assert old is not None
    assert old.name in left_over()  # a worker may still use it
    remove_others()
    assert new is not None
    assert left_over() == {"current", new.name}


def test_a_folder_of_wheels_takes_the_place_of_a_network(variant: Variant, wheels: Path) -> None:
    assert install(variant, {}, TEST, wheels=wheels) == current()
    assert (wheels / variant.wheels[0].file).is_file()


def test_a_folder_that_lacks_a_file_says_which(variant: Variant, wheels: Path) -> None:
    (wheels / variant.wheels[1].file).unlink()
    with pytest.raises(AppError, match=r"does not have open_clip_torch-3\.0") as caught:
        install(variant, {}, TEST, wheels=wheels)
    assert "status --files" in caught.value.hint


def test_a_folder_with_another_file_of_that_name_is_refused(variant: Variant, wheels: Path) -> None:
    shutil.copy(wheels / variant.wheels[0].file, wheels / variant.wheels[1].file)
    with pytest.raises(AppError, match="is not the file that this engine needs"):
        install(variant, {}, TEST, wheels=wheels)


def test_only_one_process_installs(variant: Variant, hub: LocalHub) -> None:
    engines_folder().mkdir(parents=True)
    with (
        FileLock(engines_folder() / "install.lock"),
        pytest.raises(AppError, match="by another process"),
    ):
        get(variant, hub)


def test_remove_gives_the_room_back(variant: Variant, hub: LocalHub) -> None:
    assert remove() == 0
    get(variant, hub)
    assert remove() == variant.unpacked
    assert current() is None
    assert left_over() == set()
    assert used_bytes() == 0


def test_an_engine_for_another_python_counts_as_none(
    variant: Variant, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    get(variant, hub)
    monkeypatch.setattr(place, "PYTHON", "3.10")
    assert current() is None
    assert not find_engine()

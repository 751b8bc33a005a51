"""What every test gets: a data folder of its own and settings read afresh."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from kept_measurements import kept_measurements
from local_hub import LocalHub
from sqlalchemy import Engine

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["HF_HUB_OFFLINE"] = "1"  # nothing downloads at test time
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # threads of torch keep no processor from other tests
sys.path.append(str(Path(__file__).parent.parent / "packaging"))  # the drawing code

from app import masking
from app.config import Settings, get_settings, variable
from app.db import engine as db_engine
from app.db.engine import get_sync_engine
from app.embedding import measurements
from app.queue.connection import close_redis
from app.runtime import redis_server
from app.worker.context import context

# The same few examples each time; --hypothesis-profile=search tries many, and others each time.
settings.register_profile("tests", settings.get_profile("ci"), max_examples=20)
settings.register_profile(
    "search", settings.get_profile("ci"), max_examples=2_000, derandomize=False
)
settings.load_profile("tests")

SETTING_NAMES = [
    name for setting in Settings.model_fields for name in (variable(setting), setting.upper())
]


IN_MEMORY, ROOM = Path("/dev/shm"), 4 * 1024**3
"""A folder of Linux that lies in memory, and the bytes that must be free there."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Look for no garbage until all tests are imported, and keep their files in memory, where
    thousands of commits wait for no disk."""
    gc.disable()
    if config.option.basetemp or hasattr(config, "workerinput") or not IN_MEMORY.is_dir():
        return
    if shutil.disk_usage(IN_MEMORY).free > ROOM:
        folder = tempfile.mkdtemp(prefix="afterimage-tests-", dir=IN_MEMORY)
        config.option.basetemp = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that at the end all processors have something to do."""
    items.sort(key=lambda item: item.get_closest_marker("early") is None)


def pytest_collection_finish() -> None:
    """What was imported stays, and is never looked through."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Look for garbage, for the last time, here: pytest would look through all that stays, too."""
    for _ in range(2):  # what a finaliser lets go of is found by the second look
        gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Names of files may be no text, and a report that has one could not be sent to a process."""
    report = yield
    report.sections = [
        (title, text.encode("utf-8", "backslashreplace").decode())
        for title, text in report.sections
    ]
    return report


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all processes of this run of pytest."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def data_dir_of_many(shared_folder: Path) -> Iterator[None]:
    """What is made for many tests at once does not lie in the data folder of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFTERIMAGE_DATA_DIR", str(shared_folder / "data"))
        yield


@pytest.fixture(scope="session", autouse=True)
def statements_compiled_once() -> Iterator[None]:
    """Engines for one kind of database share the statements that they have compiled: each test has
    a ledger of its own, and to compile them anew takes more of its time than to execute them."""
    first: dict[type, Engine] = {}

    def sharing(create: Callable[..., Any]) -> Callable[..., Any]:
        def created(*arguments: Any, **options: Any) -> Any:
            made = create(*arguments, **options)
            engine = getattr(made, "sync_engine", made)
            shared = first.setdefault(type(engine.dialect), engine)
            engine.dialect = engine.pool._dialect = shared.dialect  # which compiled them
            engine._compiled_cache = shared._compiled_cache
            return made

        return created

    with pytest.MonkeyPatch.context() as patch:
        for name in ("create_engine", "create_async_engine"):
            patch.setattr(db_engine, name, sharing(getattr(db_engine, name)))
        yield


@pytest.fixture(scope="session")
def session_folder() -> Iterator[str]:
    """Where the sockets of data folders with a long path lie; its own path is short."""
    with tempfile.TemporaryDirectory(prefix="s", dir="/tmp" if os.name == "posix" else None) as one:
        yield one


@pytest.fixture(autouse=True)
def data_dir(
    tmp_path: Path, session_folder: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An empty data folder; no setting and no connection leaks into the test or out of it."""
    for name in SETTING_NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AFTERIMAGE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # thumbnails lie there
    monkeypatch.setenv("XDG_RUNTIME_DIR", session_folder)
    monkeypatch.setattr(masking, "_known", set())
    get_settings.cache_clear()
    masking._known.clear()  # an address of one test would take words out of another's sentences
    yield tmp_path / "data"
    if context.cache_info().currsize:
        context().close_decoders()
    close_redis()
    redis_server._client.cache_clear()
    redis_server._use.release()
    if get_sync_engine.cache_info().currsize:
        get_sync_engine().dispose()
        get_sync_engine.cache_clear()
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def measurements_file(pytestconfig: pytest.Config) -> Path:
    """What tests have measured of their models, also in earlier runs of pytest."""
    assert pytestconfig.cache is not None
    return pytestconfig.cache.mkdir("measurements") / measurements.FILE_NAME


@pytest.fixture
def measured(measurements_file: Path, data_dir: Path) -> Iterator[None]:
    """What is known of the tests' models is known in the test's data folder."""
    with kept_measurements(measurements_file, data_dir):
        yield


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    """A server on this computer, which has no files yet."""
    hub = LocalHub()
    yield hub
    hub.close()


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder for wheels, see :mod:`small_wheels`."""
    return tmp_path / "wheels"

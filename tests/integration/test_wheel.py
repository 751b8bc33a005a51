"""The program as ``pip install`` leaves it: out of its wheel, far from a checkout."""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
import time
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy import select
from two_halves import program_folder, use_engine

from app.db.engine import get_sync_session
from app.db.models import TrainingSession
from app.engine.place import HOW, MISSING
from app.pictures.thumbnail_paths import thumbnail_file
from app.queue.thumbnail_requests import ThumbnailRequests

ROOT = Path(__file__).parents[2]
NOT_SOURCE = (".*", "*.egg-info", "__pycache__", "build", "dist", "docs", "tests")


@pytest.fixture(scope="module")
def wheel(shared_folder: Path) -> Path:
    """Built from the source distribution, so this is known to be whole as well."""
    folder = shared_folder / "wheel"
    with FileLock(folder.with_suffix(".lock")):  # once for all processes of pytest
        if not folder.exists():
            build(folder.with_suffix(".partial")).rename(folder)
    (built,) = folder.glob("*.whl")
    return built


def build(folder: Path) -> Path:
    """The folder, with a source distribution and a wheel in it."""
    source = folder / "source"  # a build leaves its work in the checkout
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*NOT_SOURCE))
    packed = ("--formats", "tar", "--dist-dir", folder)  # to compress it takes ten seconds
    run(sys.executable, "setup.py", "sdist", *packed, cwd=source)
    (sdist,) = folder.glob("*.tar")
    pip("wheel", "--no-cache-dir", "--no-build-isolation", "--wheel-dir", folder, sdist)
    return folder


@pytest.fixture
def programs(wheel: Path, tmp_path: Path) -> Path:
    """The folder of programs of an environment that the wheel was installed into."""
    # a link to a checkout that lies beside its dependencies is not followed from there
    return installed(wheel, tmp_path / "environment", *site.getsitepackages())


@pytest.fixture
def bare_programs(wheel: Path, tmp_path: Path) -> Path:
    """The same without the engine."""
    return installed(wheel, tmp_path / "bare", str(program_folder(tmp_path / "packages")))


def installed(wheel: Path, environment: Path, *dependencies: str) -> Path:
    """The folder of programs of a new environment with the wheel and these folders of packages."""
    venv.create(environment, symlinks=os.name == "posix")
    (packages,) = environment.glob("lib/python*/site-packages")
    pip("--python", environment / "bin" / "python", "install", wheel)
    (packages / "dependencies.pth").write_text("\n".join(dependencies))
    return environment / "bin"


def pip(*arguments: str | Path) -> None:
    """Nothing is downloaded, and nothing but the program itself is built or installed."""
    alone = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1"}
    run(sys.executable, "-m", "pip", *arguments, cwd=Path(sys.prefix), **alone)


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """What it prints; nothing of a checkout or a screen is in its surroundings."""
    done = subprocess.run(
        command, cwd=cwd, env=surroundings() | variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def surroundings() -> dict[str, str]:
    """The environment of this process without what belongs to the tests."""
    hidden = ("PYTHONPATH", "DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "AFTERIMAGE_MODEL")
    return {name: value for name, value in os.environ.items() if name not in hidden}


def files_below(folder: Path, pattern: str = "**/*") -> set[str]:
    """Paths of files as they stand in the wheel when the folder lies inside the package."""
    found = {path for path in folder.glob(pattern) if path.is_file()}
    return {f"{folder.name}/{path.relative_to(folder).as_posix()}" for path in found}


def test_the_wheel_holds_the_package_its_migrations_and_its_resources(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    inside = files_below(ROOT / "migrations", "**/*.py") | files_below(ROOT / "resources")
    inside.add("CHANGELOG.md")
    assert names == files_below(ROOT / "app", "**/*.py") | {f"app/{name}" for name in inside}


@pytest.mark.early
def test_the_installed_program_indexes_searches_and_verifies(
    programs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "somewhere"
    folder.mkdir()
    origin = run(programs / "python", "-c", "import app; print(app.__file__)", cwd=folder)
    assert Path(origin).is_relative_to(programs.parent)

    afterimage = programs / "afterimage"
    assert "pictures indexed" in run(afterimage, cwd=folder)  # no screen, so the samples
    worker = subprocess.Popen(
        [afterimage, "worker"], cwd=folder, env=surroundings(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline().startswith("Processing queues")
        found = json.loads(run(afterimage, "search", "a cat", "--json", cwd=folder))
        assert json.loads(run(afterimage, "verify", "--json", cwd=folder))["problems"] == []
    finally:
        worker.terminate()
        worker.communicate(timeout=60)
    assert worker.returncode == 0
    assert Path(found["hits"][0]["path"]).name == "cat.jpg"
    assert Path(found["hits"][0]["path"]).is_relative_to(programs.parent)
    assert list(folder.iterdir()) == []


@pytest.mark.early
def test_without_the_engine_everything_else_works_and_indexing_goes_on_once_it_is_there(
    bare_programs: Path, data_dir: Path, tmp_path: Path
) -> None:
    afterimage, samples = bare_programs / "afterimage", tmp_path / "samples"
    samples.mkdir()
    for name in ("cat.jpg", "beach.jpg"):
        (picture,) = (ROOT / "resources/samples").rglob(name)
        shutil.copy(picture, samples)
    state = json.loads(run(afterimage, "engine", "--json", cwd=tmp_path))
    assert (state["ready"], state["own"]) == (False, False)

    def waits() -> bool:
        with get_sync_session() as db:
            return bool(db.scalar(select(TrainingSession.waiting_for)))

    indexing = subprocess.Popen(
        [afterimage, "index", samples], cwd=tmp_path, env=surroundings(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        wait_until((data_dir / "run" / "worker.json").exists)
        wait_until(waits)
        (session,) = json.loads(run(afterimage, "sessions", "--json", cwd=tmp_path))
        assert session["waitingFor"] == f"{MISSING} {HOW}."
        picture = str(samples / "cat.jpg")
        asked = ThumbnailRequests().request([picture], 256)
        wait_until(lambda: bool(ThumbnailRequests().answered([asked])))
        assert os.path.exists(thumbnail_file(picture, 256))
        use_engine()
        printed, problems = indexing.communicate(timeout=120)
    finally:
        indexing.kill()
        indexing.wait()
    assert "2 of 2 pictures indexed" in printed, problems
    found = json.loads(run(afterimage, "search", "a cat", "--json", cwd=tmp_path))
    assert Path(found["hits"][0]["path"]).name == "cat.jpg"


def wait_until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)

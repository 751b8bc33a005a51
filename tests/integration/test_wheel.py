"""The program as ``pip install`` leaves it: out of its wheel, far from a checkout."""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_SOURCE = (".*", "*.egg-info", "__pycache__", "build", "dist", "docs", "tests")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution, so this is known to be whole as well."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a build leaves its work in the checkout
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*NOT_SOURCE))
    packed = ("--formats", "tar", "--dist-dir", folder)  # to compress it takes ten seconds
    run(sys.executable, "setup.py", "sdist", *packed, cwd=source)
    (sdist,) = folder.glob("*.tar")
    pip("wheel", "--no-cache-dir", "--no-build-isolation", "--wheel-dir", folder, sdist)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def programs(wheel: Path, tmp_path: Path) -> Path:
    """The folder of programs of an environment that the wheel was installed into."""
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=os.name == "posix")
    (packages,) = environment.glob("lib/python*/site-packages")
    pip("--python", environment / "bin" / "python", "install", wheel)
    # What it depends on; a link to a checkout that lies beside it is not followed from here.
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    return environment / "bin"


def pip(*arguments: str | Path) -> None:
    """Nothing is downloaded, and nothing but the program itself is built or installed."""
    alone = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1"}
    run(sys.executable, "-m", "pip", *arguments, cwd=Path(sys.prefix), **alone)


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """What it prints; nothing of a checkout or a screen is in its surroundings."""
    hidden = ("PYTHONPATH", "DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "AFTERIMAGE_MODEL")
    surroundings = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        command, cwd=cwd, env=surroundings | variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files_below(folder: Path, pattern: str = "**/*") -> set[str]:
    """Paths of files as they stand in the wheel when the folder lies inside the package."""
    found = {path for path in folder.glob(pattern) if path.is_file()}
    return {f"{folder.name}/{path.relative_to(folder).as_posix()}" for path in found}


def test_the_wheel_holds_the_package_its_migrations_and_its_resources(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    inside = files_below(ROOT / "migrations", "**/*.py") | files_below(ROOT / "resources")
    assert names == files_below(ROOT / "app", "**/*.py") | {f"app/{name}" for name in inside}


def test_the_installed_program_indexes_searches_and_verifies(
    programs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "somewhere"
    folder.mkdir()
    origin = run(programs / "python", "-c", "import app; print(app.__file__)", cwd=folder)
    assert Path(origin).is_relative_to(programs.parent)

    afterimage = programs / "afterimage"
    assert "pictures indexed" in run(afterimage, cwd=folder)  # no screen, so the samples
    found = json.loads(run(afterimage, "search", "a cat", "--json", cwd=folder))
    assert Path(found["hits"][0]["path"]).name == "cat.jpg"
    assert Path(found["hits"][0]["path"]).is_relative_to(programs.parent)
    assert json.loads(run(afterimage, "verify", "--json", cwd=folder))["problems"] == []
    assert list(folder.iterdir()) == []

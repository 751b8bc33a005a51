"""Write ``resources/engine.json``: the exact files of every engine for this system and Python.

    python packaging/lock_engine.py [--wheels FOLDER] [--keep FOLDER]

For each variant, pip chooses and downloads what the extra ``engine`` needs at the versions of
``constraints.txt``; what the program has already is left out. Checksums and sizes are those of the
files that came. A variant whose index cannot be reached keeps the entry that it has, if any, and
the script says so and fails. Entries of other systems stay as they are: run it on each of them.

``--wheels`` names a folder with files that are here already, for which no index is asked.
``--keep`` keeps the files, one folder for each variant, for an installation without a network.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.engine.lock import LOCK_FILE, Lock, Variant, Wheel, machine
from app.engine.place import PYTHON

ROOT = Path(__file__).resolve().parents[1]
UNUSED = "torchvision"
"""OpenCLIP's metadata ask for it, but the program imports OpenCLIP without it: see
``app/embedding/open_clip_import.py``. An empty wheel stands in for it while pip chooses."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a variant differs from the others."""

    name: str
    index: str = "pypi"
    """Where its torch is; the file has the address."""
    torch: str = ""
    """Its version, where that is not the one of ``constraints.txt``."""
    driver: str = ""
    leave_out: tuple[str, ...] = ()
    """Packages that only another variant uses."""


RECIPES = {
    # the index has the builds for processors of the last version but one when a new one is out
    "linux": (
        Recipe("cpu", "pytorch-cpu", "2.13.0+cpu", leave_out=("torchcodec", "triton")),
        # the oldest driver for CUDA 13, by NVIDIA's release notes
        Recipe("cuda", driver="580.65.06"),
        Recipe("rocm", "pytorch-rocm", "2.13.0+rocm7.2", leave_out=("torchcodec",)),
    ),
    "win32": (Recipe("cpu"),),
    "darwin": (Recipe("cpu"),),
}


class UnreachableError(Exception):
    """Pip could not get a variant; the first error that it named."""


def main() -> int:
    """Write the file; 1 where a variant could not be got."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--wheels", type=Path, help="folder with files that are here already")
    parser.add_argument("--keep", type=Path, help="folder to keep the files in")
    options = parser.parse_args()
    lock = Lock.model_validate(json.loads(LOCK_FILE.read_text("utf-8")))
    here = (sys.platform, machine(), PYTHON)
    variants = {(each.system, each.machine, each.python, each.name): each for each in lock.variants}
    missing = []
    program = _program_packages()
    for recipe in RECIPES[sys.platform]:
        with tempfile.TemporaryDirectory() as temporary:
            folder = options.keep / recipe.name if options.keep else Path(temporary)
            try:
                _download(recipe, lock.indexes[recipe.index], folder, options.wheels)
            except UnreachableError as error:
                missing.append(f"{recipe.name}: {error}")
                continue
            wheels = [_wheel(recipe, path) for path in _needed(folder, program, recipe)]
        variants[*here, recipe.name] = Variant(
            name=recipe.name,
            system=here[0],
            machine=here[1],
            python=PYTHON,
            driver=recipe.driver,
            wheels=tuple(wheels),
        )
    new = Lock(indexes=lock.indexes, variants=tuple(variants.values()))
    LOCK_FILE.write_text(json.dumps(new.model_dump(), indent=1) + "\n", encoding="utf-8")
    for each in new.variants:
        print(
            f"{each.system} {each.machine} Python {each.python} {each.name} {each.version}: "
            f"{len(each.wheels)} files, {each.download / 1e6:,.0f} MB, "
            f"{each.unpacked / 1e6:,.0f} MB on the disk"
        )
    for sentence in missing:
        print(f"not got, so it stays as it was: {sentence}", file=sys.stderr)
    return 1 if missing else 0


def _download(recipe: Recipe, index: str, folder: Path, here: Path | None) -> None:
    """Have pip put everything that a variant needs into a folder, the program's packages too."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        empty = Path(temporary, f"{UNUSED}-0-py3-none-any.whl")
        with zipfile.ZipFile(empty, "w") as archive:
            about = f"Metadata-Version: 2.1\nName: {UNUSED}\nVersion: 0\n"
            archive.writestr(f"{UNUSED}-0.dist-info/METADATA", about)
            archive.writestr(
                f"{UNUSED}-0.dist-info/WHEEL",
                "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            archive.writestr(f"{UNUSED}-0.dist-info/RECORD", "")
        tested = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        own = [f"{UNUSED}==0", *([f"torch=={recipe.torch}"] if recipe.torch else [])]
        replaced = tuple(f"{line.partition('=')[0]}=" for line in own)
        constraints = Path(temporary, "constraints.txt")
        constraints.write_text(
            "\n".join([line for line in tested if not line.startswith(replaced)] + own)
        )
        places = [argument for path in (temporary, here) if path for argument in ("-f", str(path))]
        if recipe.index != "pypi" and not (here and any(here.glob(f"torch-{recipe.torch}-*"))):
            places += ["--extra-index-url", index, "--retries", "1"]
        wanted = [
            requirement
            for requirement in _project()["optional-dependencies"]["engine"]
            if _name(requirement) not in (*recipe.leave_out, UNUSED)
        ]
        _pip(
            *("download", "--quiet", "--only-binary", ":all:", "--constraint", str(constraints)),
            *(*places, "--dest", str(folder), *wanted),
        )


def _needed(folder: Path, program: set[str], recipe: Recipe) -> list[Path]:
    """The files of a folder that are of use to the engine alone, in their order; the others go."""
    needed = []
    for path in sorted(folder.glob("*.whl")):
        if _name(path.name.split("-")[0]) in program | {UNUSED, *recipe.leave_out}:
            path.unlink()
        else:
            needed.append(path)
    return needed


def _wheel(recipe: Recipe, path: Path) -> Wheel:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    index = recipe.index if path.name.startswith("torch-") else "pypi"
    return Wheel(
        file=path.name, index=index, sha256=digest, size=path.stat().st_size, unpacked=unpacked
    )


def _program_packages() -> set[str]:
    """Names of everything that the program itself consists of here."""
    report = json.loads(
        _pip(
            *("install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"),
            *("--constraint", str(ROOT / "constraints.txt"), *_project()["dependencies"]),
        )
    )
    return {_name(item["metadata"]["name"]) for item in report["install"]}


def _project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project: dict[str, Any] = tomllib.load(file)["project"]
    return project


def _name(requirement: str) -> str:
    """Of a project, as indexes compare it."""
    name = re.split(r"[\s;<>=!~\[]", requirement.strip(), maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def _pip(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["pip said nothing"]
        errors = [line for line in lines if line.startswith("ERROR:")]
        raise UnreachableError((errors or lines)[0])
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())

"""The program and its engine as two folders, made of links to what is installed here."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import Distribution
from pathlib import Path

from distributions import of_engine, of_program

from app.engine.place import PYTHON, Engine, describe, engines_folder, switch_to


def program_folder(folder: Path) -> Path:
    """Packages of the program alone: nothing in them imports the engine."""
    return _linked(folder, of_program().values())


def use_engine() -> None:
    """Have the engine that is installed here lie in the data folder, in use."""
    engine = Engine("0.here", "cpu", PYTHON, 0)
    folder = _linked(engines_folder() / f"{engine.name}.partial", of_engine().values())
    describe(folder, engine)
    folder.rename(engines_folder() / engine.name)
    switch_to(engine)


def _linked(folder: Path, distributions: Iterable[Distribution]) -> Path:
    """A folder with a link to every package and module of these distributions."""
    folder.mkdir(parents=True)
    for found in distributions:
        for name in {file.parts[0] for file in found.files or () if file.parts[0] != ".."}:
            link, target = folder / name, Path(str(found.locate_file(name)))
            if not link.exists() and target.exists() and name != "__pycache__":
                link.symlink_to(target)
    return folder

"""The program works without its engine: nothing but the modules that run models imports it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from distributions import of_engine, of_program
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
MODELS = {
    f"app.embedding.{name}"
    for name in (
        *("card_decoder", "checkpoint", "encoder", "folding", "int8", "loading"),
        *("memory", "open_clip_import", "tuning"),
    )
}
"""What runs models."""
_IMPORT_ALL = """
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys(sys.argv[1].split(",")))  # to import one of these is an error
import app
for found in pkgutil.walk_packages(app.__path__, "app."):
    try:
        importlib.import_module(found.name)
    except ImportError:
        print(found.name)
"""


def names_of_engine() -> list[str]:
    """What of the engine can be imported, and is not part of the program."""
    engine = set(of_engine())
    return sorted(
        name
        for name, owners in packages_distributions().items()
        if {canonicalize_name(owner) for owner in owners} <= engine
    )


def test_only_what_runs_models_needs_the_engine() -> None:
    names = names_of_engine()
    assert {"torch", "open_clip", "transformers", "torchvision"} <= set(names)
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL, ",".join(names)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == MODELS


def test_the_halves_have_nothing_in_common() -> None:
    program, engine = set(of_program()), set(of_engine())
    assert {"pyside6-essentials", "sqlalchemy", "qdrant-client", "numpy", "pillow"} <= program
    assert not program & engine
    assert {"torch", "open-clip-torch", "transformers"} <= engine

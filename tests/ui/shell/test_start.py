"""The window as a process: what it loads, how it starts, how it fails, how it ends."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.api.training_schemas import TrainingSessionCreate
from app.config import get_settings
from app.errors import AppError
from app.ui.shell.main import open_backend

ROOT = Path(__file__).parents[3]
DRIVER = Path(__file__).with_name("driver.py")


INVITATION = "Find any picture by describing it"


def start(awaited: str, *paths: str, **variables: str) -> dict[str, Any]:
    """Run the window until it shows a text; what the driver reports."""
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", str(DRIVER), awaited, *paths],
        env=os.environ | {"PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report | {"stderr": done.stderr}


def test_the_first_paint_comes_before_everything_heavy(data_dir: Path) -> None:
    report = start(INVITATION)
    assert report["painted"]
    assert report["at_first_paint"] == []
    assert report["code"] == 0


def test_the_first_window_is_an_invitation(data_dir: Path) -> None:
    report = start(INVITATION)
    assert report["code"] == 0
    assert INVITATION in report["texts"]


def test_a_folder_that_it_is_started_with_is_offered(data_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Holiday"
    folder.mkdir()
    (folder / "beach.jpg").touch()
    report = start("1 picture", str(folder))
    assert report["code"] == 0
    assert any("1 picture" in text for text in report["texts"])


def test_the_window_never_loads_torch_or_numpy(
    data_dir: Path, tmp_path: Path, qt_loop: Any, backend: Any
) -> None:
    folder = tmp_path / "Holiday"
    folder.mkdir()

    async def create() -> None:
        async with backend.db() as db:
            await backend.training.create_session(db, TrainingSessionCreate(rootPath=str(folder)))

    qt_loop.run(create())
    report = start("Holiday")
    assert report["code"] == 0
    assert "Holiday" in report["texts"]
    assert not {"torch", "open_clip", "numpy"} & set(report["at_end"])


def test_it_ends_in_order_when_the_system_says_so(data_dir: Path) -> None:
    report = start("")
    assert report["code"] == 0
    assert report["seconds"] < 10


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"TRAINING_BATCH_SIZE": "none"}, "TRAINING_BATCH_SIZE is set to 'none'"),
        (
            {"AFTERIMAGE_REDIS_URL": "nonsense"},
            "AFTERIMAGE_REDIS_URL is set to something that is not an address",
        ),
    ],
)
def test_a_bad_variable_is_one_sentence_in_the_window(
    data_dir: Path, variables: dict[str, str], sentence: str
) -> None:
    report = start(sentence, **variables)
    assert report["code"] == 1
    assert sentence in report["page"]
    assert any(sentence in text for text in report["texts"])


def test_a_newer_ledger_is_refused_in_the_window(data_dir: Path) -> None:
    data_dir.mkdir()
    with sqlite3.connect(data_dir / "ledger.sqlite3") as ledger:
        ledger.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        ledger.execute("INSERT INTO alembic_version VALUES ('9999')")
    report = start("newer version")
    assert report["code"] == 1
    assert "newer version" in report["page"]


def test_a_data_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    report = start("data folder", AFTERIMAGE_DATA_DIR=str(tmp_path / "file"))
    assert report["code"] == 1
    assert str(tmp_path / "file") in report["page"]


def test_a_day_of_painting_does_not_use_up_none() -> None:
    """PySide6 6.12.0 takes a reference from None at each call: Python 3.11 soon aborts."""
    code = """
import app.ui
from PySide6.QtGui import QFont
drawn = QFont()
for _ in range(300_000):
    drawn.setPixelSize(12)
"""
    subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True
    )


def test_the_window_refuses_settings_that_do_not_go_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AFTERIMAGE_DATABASE_URL", "postgresql://host/ledger")
    get_settings.cache_clear()
    with pytest.raises(AppError, match="AFTERIMAGE_QDRANT_URL is not set"):
        open_backend()  # the window shows what it raises

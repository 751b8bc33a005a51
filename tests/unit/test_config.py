"""Where settings come from, what they are called, and which do not go together."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import (
    check_settings,
    get_settings,
    limits,
    old_names,
    save_setting,
    variable,
)
from app.errors import AppError
from app.ui.shell.paths import data_dir

POSTGRESQL = "postgresql://user:secret@host/ledger"


def test_a_shared_ledger_needs_a_shared_store(monkeypatch: pytest.MonkeyPatch) -> None:
    check_settings()
    monkeypatch.setenv("AFTERIMAGE_DATABASE_URL", POSTGRESQL)
    get_settings.cache_clear()
    with pytest.raises(AppError, match="AFTERIMAGE_QDRANT_URL is not set") as refused:
        check_settings()
    assert "secret" not in str(refused.value)
    monkeypatch.setenv("AFTERIMAGE_QDRANT_URL", "http://host:6333")
    get_settings.cache_clear()
    check_settings()


@pytest.mark.parametrize("command", [["worker"], ["index", "."], ["sessions"]])
def test_every_command_refuses_it(command: list[str]) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "app", *command],
        env=os.environ | {"AFTERIMAGE_DATABASE_URL": POSTGRESQL},
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 1
    assert (
        "AFTERIMAGE_DATABASE_URL names a PostgreSQL server, but AFTERIMAGE_QDRANT_URL is not set."
        in refused.stderr
    )
    assert "Set AFTERIMAGE_QDRANT_URL" in refused.stderr


def test_a_setting_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_MODEL", "RN50/openai")
    monkeypatch.setenv("TRAINING_BATCH_SIZE", "8")
    get_settings.cache_clear()
    assert (get_settings().model, get_settings().training_batch_size) == ("RN50/openai", 8)
    assert (variable("model"), variable("training_batch_size")) == (
        "AFTERIMAGE_MODEL",
        "TRAINING_BATCH_SIZE",
    )
    assert old_names() == []


def test_a_variable_wins_over_the_settings_file(monkeypatch: pytest.MonkeyPatch) -> None:
    save_setting("decode_threads", 3)
    assert get_settings().decode_threads == 3
    monkeypatch.setenv("AFTERIMAGE_DECODE_THREADS", "5")
    get_settings.cache_clear()
    assert get_settings().decode_threads == 5


def test_an_old_name_is_read_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AFTERIMAGE_DATA_DIR")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "old"))
    monkeypatch.setenv("REDIS_URL", "redis://host:6379/0")
    get_settings.cache_clear()
    assert get_settings().data_dir == data_dir() == tmp_path / "old"
    assert get_settings().redis_url == "redis://host:6379/0"
    assert old_names() == [
        "DATA_DIR is now called AFTERIMAGE_DATA_DIR; the next version ignores the old name.",
        "REDIS_URL is now called AFTERIMAGE_REDIS_URL; the next version ignores the old name.",
    ]


def test_an_old_name_is_ignored_beside_the_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_DATABASE_URL", "")
    monkeypatch.setenv("DATABASE_URL", "mysql://of/another/project")
    monkeypatch.setenv("DATA_DIR", "/of/another/project")
    get_settings.cache_clear()
    assert get_settings().database_url == ""
    assert str(data_dir()) == os.environ["AFTERIMAGE_DATA_DIR"]
    assert old_names() == []


def test_a_wrong_value_is_refused_under_the_name_that_was_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("LOG_LEVEL", "AFTERIMAGE_LOG_LEVEL"):
        monkeypatch.setenv(name, "loud")
        get_settings.cache_clear()
        with pytest.raises(AppError, match=rf"^{name} is set to 'loud', but it must be"):
            get_settings()


def test_a_command_tells_of_an_old_name_on_standard_error() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "app", "sessions", "--json"],
        env=os.environ | {"LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "[]\n"
    assert told.stderr == (
        "LOG_LEVEL is now called AFTERIMAGE_LOG_LEVEL; the next version ignores the old name.\n"
    )


def test_the_first_built_in_model_s_name_stands_for_the_present_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert get_settings().model == "builtin"
    monkeypatch.setenv("AFTERIMAGE_MODEL", "demo")
    get_settings.cache_clear()
    assert get_settings().model == "builtin"


def test_the_limits_of_a_number_are_those_that_are_enforced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for setting in ("training_batch_size", "decode_threads", "max_image_megapixels"):
        for limit, beyond in zip(limits(setting), (-1, 1), strict=True):
            monkeypatch.setenv(variable(setting), str(limit))
            get_settings.cache_clear()
            assert getattr(get_settings(), setting) == limit
            monkeypatch.setenv(variable(setting), str(limit + beyond))
            get_settings.cache_clear()
            with pytest.raises(AppError, match=variable(setting)):
                get_settings()
        monkeypatch.delenv(variable(setting))

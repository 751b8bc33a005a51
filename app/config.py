"""Every setting of the program, with its default and its limits.

A value comes from the environment (see :func:`variable`), else from the settings file that the
window writes (``settings.json`` in the data folder), else from the default here.
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.errors import AppError, first_refused
from app.masking import kind_of, learn
from app.private_files import replace_file

BUILTIN_MODEL = "builtin"
_ADDRESSES = ("database_url", "redis_url", "qdrant_url")
"""Settings that may hold a password."""
_PREFIX = "AFTERIMAGE_"
_OF_THE_CONTRACT = "training_batch_size"
"""``docs/training-system.md`` gives this one its name, without the prefix."""
_ALWAYS_PREFIXED = ("exclude", "update_every_hours")
"""Settings that came later than the prefix: their names without it are other programs'."""


class Settings(BaseSettings):
    """The settings in force. Build one with :func:`get_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    data_dir: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("afterimage")))
    database_url: str = ""
    redis_url: str = ""
    qdrant_url: str = ""
    model: str = BUILTIN_MODEL
    search_model: str = ""
    """The collection that searches look in; empty takes the fullest one."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    training_batch_size: int = Field(32, ge=1, le=1024, validation_alias=_OF_THE_CONTRACT)
    decode_threads: Annotated[int, Field(ge=0, le=64)] = 0
    """Pictures decoded at once; 0 takes one for each processor that may be used."""
    max_image_megapixels: Annotated[int, Field(ge=1, le=2000)] = 200
    job_timeout: Annotated[int, Field(ge=60)] = 3600
    """Seconds after which one queue job hands a session over to the next; nothing is lost."""
    exclude: str = ""
    """Patterns that new sessions leave out, separated by commas."""
    update_every_hours: Annotated[int, Field(ge=0)] = 0
    """Hours between the updates of new sessions; 0: none."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("model")
    @classmethod
    def _renamed(cls, value: str) -> str:
        """What came with the program was called ``demo`` at first."""
        return BUILTIN_MODEL if value == "demo" else value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:", "postgresql:", "postgresql+psycopg:")):
            raise ValueError("must start with sqlite: or postgresql:")
        return value

    @field_validator("redis_url")
    @classmethod
    def _known_redis(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must start with redis://, rediss:// or unix://")
        return value

    @field_validator("qdrant_url")
    @classmethod
    def _known_qdrant(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (env_settings, init_settings)

    @property
    def settings_file(self) -> Path:
        """What the window wrote; environment variables win over it."""
        return self.data_dir / "settings.json"

    @property
    def ledger_file(self) -> Path:
        """The ledger, unless ``AFTERIMAGE_DATABASE_URL`` is set."""
        return self.data_dir / "ledger.sqlite3"

    @property
    def run_dir(self) -> Path:
        """Where running processes leave their addresses and locks."""
        return self.data_dir / "run"

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "logs"

    @property
    def vector_dir(self) -> Path:
        """The embedded vector store; unused where ``AFTERIMAGE_QDRANT_URL`` is set."""
        return self.data_dir / "vectors"


def variable(setting: str) -> str:
    """The environment variable for a setting: ``AFTERIMAGE_MODEL`` for ``model``."""
    return setting.upper() if setting == _OF_THE_CONTRACT else _PREFIX + setting.upper()


def limits(setting: str) -> tuple[int, int]:
    """The least and the greatest value of a number that has both."""
    bounds = Settings.model_fields[setting].metadata
    least = next(bound.ge for bound in bounds if hasattr(bound, "ge"))
    most = next(bound.le for bound in bounds if hasattr(bound, "le"))
    return least, most


def set_by(setting: str) -> str | None:
    """The environment variable that sets this in this process; None if none does."""
    names = [variable(setting)]
    if setting not in _ALWAYS_PREFIXED:
        names.append(setting.upper())
    return next((name for name in names if name in os.environ), None)


def _from_environment(setting: str) -> str | None:
    name = set_by(setting)
    return os.environ[name] if name else None


def old_names() -> list[str]:
    """A warning for each variable that is set under its former name, without the prefix.

    Such a name may be meant for another program, so only this version still reads it.
    """
    return [
        f"{name} is now called {variable(setting)}; the next version ignores the old name."
        for setting in Settings.model_fields
        if (name := set_by(setting)) not in (None, variable(setting))
    ]


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        AppError: a value is out of its limits, or the settings file is damaged.
    """
    named = _from_environment("data_dir")
    data_dir = Path(named or platformdirs.user_data_dir("afterimage")).expanduser()
    return _checked(_read_settings_file(data_dir / "settings.json"))


def check_settings() -> None:
    """Refuse settings that do not go together; for every way into the program.

    Raises:
        AppError: several machines could share the ledger, but not the vectors: each would index a
            part of the pictures, and none would find all of them.
    """
    settings = get_settings()
    if settings.database_url.startswith("postgresql") and not settings.qdrant_url:
        raise AppError(
            "AFTERIMAGE_DATABASE_URL names a PostgreSQL server, but AFTERIMAGE_QDRANT_URL is not "
            "set.",
            "Set AFTERIMAGE_QDRANT_URL to a Qdrant server that all machines share, or remove "
            "AFTERIMAGE_DATABASE_URL.",
        )


def save_setting(name: str, value: Any) -> None:
    """Write one setting to the settings file; it is in force from the next start of a process.

    Raises:
        AppError: the value is out of its limits, or the file cannot be written.
    """
    settings = get_settings()
    stored = _read_settings_file(settings.settings_file) | {name: value}
    _checked(stored)
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        replace_file(settings.settings_file, json.dumps(stored, indent=2) + "\n")
    except OSError as error:
        raise AppError(
            f"The settings could not be saved to {settings.settings_file}: {error.strerror}.",
            "Check that the folder is writable and the disk is not full.",
        ) from error
    get_settings.cache_clear()


def _read_settings_file(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):  # opening the ledger says what is wrong
        return {}
    except (OSError, ValueError) as error:
        raise AppError(
            f"The settings file {path} cannot be read.", "Repair or delete it, then start again."
        ) from error
    if not isinstance(stored, dict):
        raise AppError(f"The settings file {path} does not contain settings.", "Delete it.")
    return stored


def _checked(stored: dict[str, Any]) -> Settings:
    """These settings, and those of the environment, which win over them."""
    wanted = stored | {
        setting: value
        for setting in Settings.model_fields
        if (value := _from_environment(setting)) is not None
    }
    for setting in _ADDRESSES:
        for value in (wanted.get(setting), stored.get(setting)):
            if isinstance(value, str):
                learn(value)
    try:
        return Settings(**wanted)
    except ValidationError as error:
        raise _plain(error) from None  # its text and its trace have the value


def _plain(error: ValidationError) -> AppError:
    """One sentence that names the variable, the value and what is allowed."""
    setting, allowed = first_refused(error)
    name = (set_by(setting) or variable(setting)) if setting else "a setting"
    wrong = error.errors()[0]["input"]
    value = repr(wrong)
    if setting in _ADDRESSES:  # any part of it may be a password
        kind = kind_of(str(wrong))
        value = (
            f"an address that begins with {kind}" if kind else "something that is not an address"
        )
    return AppError(
        f"{name} is set to {value}, but it {allowed}.",
        f"Change {name} in the environment or in the settings file and start again.",
    )

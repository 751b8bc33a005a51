"""The engine: whether there is one, which fits this computer, getting and removing it."""

from __future__ import annotations

import asyncio
import shutil
from functools import lru_cache
from pathlib import Path

from app.api.engine_schemas import EngineChoice, EngineState
from app.api.model_schemas import ModelDownload
from app.config import get_settings
from app.engine import install as installing
from app.engine.computer import Card, Computer, choose, look
from app.engine.lock import TITLES, Lock, Variant, shipped_lock
from app.engine.place import PYTHON, current, find_engine, is_beside
from app.errors import AppError
from app.program import program_command
from app.services.model_download import RunningDownload


class EngineService:
    """Every action on the engine. Keep one for the process: it knows what is under way.

    Args:
        lock: which engines there are.
        test: starts the test of an engine, whose folder is added; by default the program itself.
    """

    def __init__(self, lock: Lock | None = None, test: list[str] | None = None) -> None:
        self._lock = lock
        self._test = test or program_command("engine-test")
        self._running: RunningDownload | None = None

    async def is_ready(self) -> bool:
        """Whether pictures can be looked at."""
        return await asyncio.to_thread(find_engine)

    async def state(self) -> EngineState:
        """What there is, and what there could be."""
        return await asyncio.to_thread(self._state)

    def files(self, variant: str | None = None) -> list[str]:
        """Names of all files that an engine consists of, as a folder of wheels has to have them.

        Raises:
            AppError: there is no such engine for this computer.
        """
        return [wheel.file for wheel in self._variant(variant).wheels]

    def progress(self) -> ModelDownload | None:
        """How far an installation of this process is; None where none runs or has failed."""
        return self._running.state() if self._running is not None else None

    async def install(
        self, variant: str | None = None, wheels: Path | None = None
    ) -> ModelDownload:
        """Install an engine, or go on with that; the one in use stays until it works.

        A cancelled task stops it. What was downloaded is kept for the next time.

        Args:
            variant: which; None: the one that fits this computer best.
            wheels: a folder with all its files; None: they are downloaded.

        Returns:
            how it ended: ``done``, ``stopped`` or ``failed`` with the reason.

        Raises:
            AppError: there is no such engine for this computer.
        """
        if self._running is not None and (state := self._running.state()).active:
            return state
        chosen = await asyncio.to_thread(self._variant, variant)
        self._running = running = RunningDownload(expected=chosen.download)
        addresses = self._known().indexes
        try:
            await asyncio.to_thread(
                running.run,
                lambda note, stop: installing.install(
                    chosen, addresses, self._test, wheels=wheels, on_progress=note, stop=stop
                ),
            )
        finally:
            running.stop.set()
            if self._running is running and not running.failed:
                self._running = None
        return running.state()

    def stop(self) -> None:
        """End an installation within seconds, or forget one that failed."""
        if self._running is not None:
            self._running.stop.set()
            if self._running.failed:
                self._running = None

    async def remove(self) -> int:
        """Delete the engine of the data folder; the bytes that this sets free.

        Raises:
            AppError: it is being installed, or cannot be deleted.
        """
        self._running = None
        return await asyncio.to_thread(installing.remove)

    def _known(self) -> Lock:
        return self._lock or shipped_lock()

    def _variant(self, name: str | None) -> Variant:
        variants = self._known().for_this_computer()
        if name is None:
            found, _ = choose(_computer(), variants)
        else:
            found = next((variant for variant in variants if variant.name == name), None)
        if found is not None:
            return found
        if not variants:
            raise AppError(
                f"There is no engine for Python {PYTHON} on this system.",
                "Install the program with its engine: pip install 'afterimage[engine]'",
            )
        raise AppError(
            f"There is no engine “{name}” for this computer.",
            f"There is: {', '.join(variant.name for variant in variants)}.",
        )

    def _state(self) -> EngineState:
        computer, variants, used = _computer(), self._known().for_this_computer(), current()
        best, reason = choose(computer, variants)
        beside = is_beside()
        outdated = False
        choices = []
        for variant in variants:
            installed = used is not None and used.variant == variant.name and not beside
            newest = installed and used is not None and used.version == variant.version
            outdated = outdated or (installed and not newest)
            choices.append(
                EngineChoice(
                    variant=variant.name,
                    title=TITLES[variant.name],
                    version=variant.version,
                    downloadBytes=variant.download - installing.downloaded_bytes(variant),
                    diskBytes=variant.unpacked,
                    suggested=variant is best,
                    installed=newest,
                )
            )
        folder = get_settings().data_dir
        folder.mkdir(parents=True, exist_ok=True)
        return EngineState(
            ready=beside or used is not None,
            own=used is not None and not beside,
            title=TITLES[used.variant] if used is not None else "",
            version=used.version if used is not None else "",
            usedBytes=installing.used_bytes(),
            outdated=outdated,
            processor=", ".join([computer.processor, *computer.abilities]),
            cards=[_card(card) for card in computer.cards],
            reason=reason,
            choices=choices,
            freeBytes=shutil.disk_usage(folder).free,
        )


@lru_cache(maxsize=1)
def _computer() -> Computer:
    """Looked at once: cards do not come and go, and their driver takes its time to answer."""
    return look()


def _card(card: Card) -> str:
    """``NVIDIA RTX 4070, 12 GB, driver 580.65``"""
    parts = [card.name or f"{card.maker} card"]
    if card.memory:
        parts.append(f"{card.memory / 1024**3:.0f} GB")
    parts.append(f"driver {card.driver}" if card.driver else "its driver does not answer")
    return ", ".join(parts)

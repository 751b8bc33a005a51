"""The shapes of the engine: what this computer has, what fits it, and what is installed."""

from __future__ import annotations

from pydantic import BaseModel


class EngineChoice(BaseModel):
    """An engine that this computer can load."""

    variant: str
    """``cpu``, ``cuda`` or ``rocm``."""
    title: str
    version: str
    downloadBytes: int
    """That are still missing."""
    diskBytes: int
    suggested: bool
    """It fits this computer best."""
    installed: bool
    """It is the one in use."""


class EngineState(BaseModel):
    """Whether there is an engine, and which there could be."""

    ready: bool
    """Pictures can be looked at."""
    own: bool
    """The engine in use lies in the data folder, so the program may replace and remove it."""
    title: str = ""
    """Of the one in use, where it lies in the data folder."""
    version: str = ""
    usedBytes: int = 0
    """Of everything that belongs to engines in the data folder, broken downloads included."""
    outdated: bool = False
    """This version of the program comes with another one of its kind."""
    processor: str
    """With its abilities."""
    cards: list[str]
    """Graphics cards, with their drivers."""
    reason: str
    """Why the suggested one fits; empty where there is none."""
    choices: list[EngineChoice]
    freeBytes: int
    """Of the disk with the data folder."""

    @property
    def suggested(self) -> EngineChoice | None:
        """The choice that fits this computer best."""
        return next((choice for choice in self.choices if choice.suggested), None)

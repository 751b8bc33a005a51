"""The shapes of models, their downloads and their indexes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

DownloadPhase = Literal[
    "waiting",
    "connecting",
    "downloading",
    "checking",
    "unpacking",
    "testing",
    "done",
    "stopped",
    "failed",
]
ENDED: frozenset[DownloadPhase] = frozenset({"done", "stopped", "failed"})


class ModelDownload(BaseModel):
    """How far a download is."""

    phase: DownloadPhase
    """``waiting``: for another download; only one runs at a time."""
    doneBytes: int = 0
    """Of the file; while it is checked or unpacked, bytes of which that is done."""
    totalBytes: int = 0
    """0 where it is not known."""
    bytesPerSecond: float | None = None
    secondsLeft: float | None = None
    """None while it cannot be said."""
    message: str = ""
    """Why it failed, in one sentence."""
    hint: str = ""

    @property
    def active(self) -> bool:
        """Whether it is under way, or will be."""
        return self.phase not in ENDED


class ModelIndex(BaseModel):
    """What was indexed with one set of weights of a model."""

    modelId: int
    vectors: int
    """Pictures that can be found with it."""
    sessions: int
    """Sessions whose pictures it holds; while there are any, it cannot be removed."""
    inSearch: bool
    """Searches look in it."""
    only: bool
    """There is no other one to search in."""
    picturesPerSecond: float | None
    """Of the model alone, as measured on this computer."""
    measuredOn: str | None


class ModelRow(BaseModel):
    """One model, as the Models page shows it."""

    spec: str
    kind: Literal["hub", "folder", "builtin"]
    """Whether its weights come from the hub, lie in a person's own folder, or are built in."""
    title: str
    description: str
    languages: str
    """Of descriptions; empty where it is not known."""
    downloadMb: int
    """10⁶ bytes; 0 where nothing is downloaded, or the size is not known."""
    dimension: int | None
    parametersM: float = 0.0
    """Millions; 0 where it is not known."""
    pixels: int = 0
    """Side of the square that it sees; 0 where it is not known."""
    figures: str = ""
    """How well it finds things by published measurements."""
    licence: str = ""
    recommended: bool
    state: Literal["ready", "partial", "absent", "unavailable"]
    reason: str = ""
    """Why it is unavailable, and what to do about it."""
    folder: str = ""
    """Where its weights lie; empty where there are none."""
    diskBytes: int = 0
    """Size of the weights on this computer, those of a broken download included."""
    removable: bool = False
    """Whether this program downloaded the weights, so that it may delete them."""
    sessions: int = 0
    """Sessions that are indexed with it, cancelled ones left out."""
    pictures: int = 0
    """Pictures of those sessions; one that is in two sessions counts twice."""
    indexing: bool = False
    """A session with it runs at this moment."""
    inUse: bool = False
    """New sessions get it, unless they name another one."""
    indexes: list[ModelIndex] = Field(default_factory=list)
    """Mostly one or none; more where a folder's weights were replaced."""

    @property
    def vectors(self) -> int:
        """Pictures that can be found with it."""
        return max((index.vectors for index in self.indexes), default=0)

    @property
    def speed(self) -> ModelIndex | None:
        """The index that knows how fast the model is here; None before it was measured."""
        return next((index for index in self.indexes if index.picturesPerSecond), None)


class ModelSpeed(BaseModel):
    """How fast a model is on this computer, on its own."""

    picturesPerSecond: float
    measuredOn: str
    """A device."""

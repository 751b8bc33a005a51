"""What windows, scripts and the search service hand each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_TEXT = 10_000
"""Characters of a description; a model reads its first words only, some 50 to 70."""
MAX_TERMS = 20
MAX_MARKED = 200
"""Pictures that results can be more like, or less like."""
LEAST_PART = 32
"""Pixels of a picture that a part of it has each way, at least: less shows nothing."""

Share = Annotated[float, Field(ge=0, le=1)]
Region = tuple[Share, Share, Share, Share]
"""A part of a picture: left, top, right and bottom, as shares of it as a person sees it."""

PictureShape = Literal["landscape", "portrait", "square"]


class SearchTerm(BaseModel):
    """One thing to look for, or to keep away from: a text, a picture file, an indexed picture."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(max_length=MAX_TEXT)] | None = None
    path: str | None = None
    """A picture file, indexed or not."""
    assetId: int | None = None
    """An indexed picture."""
    region: Region | None = None
    """Only this part of the picture file."""
    weight: Annotated[float, Field(ge=-10, le=10)] = 1.0
    """Its share in the query; below 0: results are to be unlike it."""

    @model_validator(mode="after")
    def _one_kind(self) -> SearchTerm:
        if sum(value is not None for value in (self.text, self.path, self.assetId)) != 1:
            raise ValueError("a term is a text, a path or an asset, exactly one of them")
        if self.region is not None:
            left, top, right, bottom = self.region
            if self.path is None or left >= right or top >= bottom:
                raise ValueError("a region is a part of a picture file")
        return self


class SearchFilter(BaseModel):
    """What results are restricted to; every condition that is set must hold."""

    model_config = ConfigDict(extra="forbid")

    sessionId: int | None = None
    folder: str | None = None
    """Absolute; pictures in its subfolders count too."""
    takenFrom: date | None = None
    takenTo: Annotated[date, Field(lt=date.max)] | None = None
    """The last day that counts; where no camera wrote a date, that of the file counts."""
    formats: list[str] = Field(default_factory=list)
    """As the ledger has them, such as ``JPEG``; empty: any."""
    orientation: PictureShape | None = None
    inFolders: list[str] = Field(default_factory=list)
    """Parts of folders' names or paths, without regard to case; the picture lies below a folder
    that has each of them."""
    names: list[str] = Field(default_factory=list)
    """Parts of the file's name, without regard to case; it has each of them."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """A filter as vector stores evaluate it; None and empty restrict nothing."""

    session: int | None = None
    folders: tuple[str, ...] = ()
    """As in a point's payload, where subfolders name them too; one of them must be there."""
    taken_from: int | None = None
    """Unix time in seconds, inclusive."""
    taken_before: int | None = None
    """Unix time in seconds, exclusive."""
    formats: tuple[str, ...] = ()
    orientation: str | None = None

    def matches(self) -> dict[str, list[str] | list[int]]:
        """By payload field, the values of which one must be there."""
        wanted: dict[str, list[str] | list[int]] = {}
        if self.session is not None:
            wanted["session"] = [self.session]
        if self.folders:
            wanted["folder"] = list(self.folders)
        if self.formats:
            wanted["format"] = list(self.formats)
        if self.orientation is not None:
            wanted["orientation"] = [self.orientation]
        return wanted


class SearchQuery(BaseModel):
    """A whole question."""

    model_config = ConfigDict(extra="forbid")

    terms: Annotated[list[SearchTerm], Field(max_length=MAX_TERMS)]
    liked: Annotated[list[int], Field(max_length=MAX_MARKED)] = Field(default_factory=list)
    """Indexed pictures that results are to be more like than the terms alone have them; without
    any term, these are what is looked for."""
    disliked: Annotated[list[int], Field(max_length=MAX_MARKED)] = Field(default_factory=list)
    """Those that results are to be less like."""
    filter: SearchFilter = Field(default_factory=SearchFilter)
    minScore: Annotated[float, Field(ge=-1, le=1)] | None = None
    likelyOnly: bool = False
    """Leave out what is far less like the query than the best picture; ignored with a minScore."""
    modelId: int | None = None
    """None: the model in use, see ``SearchService.models``."""


class SearchHit(BaseModel):
    """One picture that was found."""

    assetId: int
    path: str
    score: float
    """Cosine similarity to the query, in [-1, 1]."""
    size: int
    """Bytes."""
    width: int | None
    height: int | None
    format: str | None
    takenAt: datetime | None
    modifiedNs: int = 0
    """When the file was last written, in nanoseconds since 1970."""
    named: bool = False
    """It was found by its name; its score is 0."""
    content: str | None = None
    """SHA-256 of its file; copies have the same."""
    alike: int | None = None
    """The group of pictures that look alike, from the last scan for near duplicates."""


class SearchResultPage(BaseModel):
    """Some results, best first. Pictures that are missing or excluded are left out, so that a
    page may be shorter than what was asked for while more follow."""

    hits: list[SearchHit]
    nextOffset: int | None
    """Where the next page begins; None: there is none."""
    modelId: int
    known: bool = True
    """False: nothing scores clearly more than for a text that means nothing to this model; these
    are only the closest pictures."""
    leftOut: bool = False
    """There are more, which are not likely: a query without ``likelyOnly`` has them."""
    unused: int = 0
    """Of the liked and the disliked pictures, those that this model does not know: they did not
    count."""


class SearchModel(BaseModel):
    """A model whose pictures can be searched."""

    modelId: int
    spec: str
    title: str
    dimension: int
    vectors: int
    """Pictures that can be found with it."""
    pictures: int
    """Pictures that the sessions with this model have; more than ``vectors`` while it works."""
    inUse: bool
    """Searches that name no model are answered with this one."""

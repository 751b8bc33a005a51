"""Questions to the worker, which alone has the model and the vectors in memory.

Each is a function with a request and an answer; all of them wait for the worker, so call them in a
thread. What answers them is in :mod:`app.worker.answers`.

Raises:
    WorkerAwayError: no worker answered in time; it says what that worker is doing.
    AppError: what each says, or that the worker has a bug, which its log explains.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, TypeAdapter

from app.api.model_schemas import ModelSpeed
from app.api.search_schemas import Restriction, SearchTerm
from app.api.training_schemas import LedgerReport
from app.queue.ask import Question, ask

SEARCH_WITHIN_S = 10.0
FORGET_WITHIN_S = 60.0


class FindRequest(BaseModel):
    """What pictures are to be near to, and which of them are wanted."""

    model: str
    """What the collection's model is loaded by."""
    collection: str
    terms: list[SearchTerm]
    liked: list[int] = []
    disliked: list[int] = []
    restriction: Restriction = Restriction()
    min_score: float | None = None
    limit: int
    offset: int = 0
    likely_only: bool = False
    """Leave out what is far less like the query than the best picture."""


class FindAnswer(BaseModel):
    """What was found."""

    hits: list[tuple[int, float]]
    """Ids and scores, best first."""
    known: bool = True
    """False: no picture scores clearly more than for a text that means nothing here."""
    left_out: bool = False
    """There are more pictures, which are not likely."""
    unused: int = 0
    """Of the liked and the disliked pictures, those that have no vector."""


class PrepareRequest(BaseModel):
    """Which model is to be in memory, and the collection of its vectors."""

    model: str
    collection: str


class CheckLedgerRequest(BaseModel):
    """How the ledger is to be checked."""

    repair: bool = False
    sample: int = 0
    """So many pictures of each model are looked at anew, and their vectors compared."""


class ModelRequest(BaseModel):
    """A model, by what it is loaded by."""

    spec: str


class RemoveIndexRequest(BaseModel):
    """The model whose vectors are to be forgotten."""

    model_id: int


class RemoveVectorsRequest(BaseModel):
    """Pictures that the ledger has removed."""

    vectors: dict[int, list[int]]
    """Asset ids by the id of their model."""


FIND = Question("find", FindRequest, TypeAdapter(FindAnswer), SEARCH_WITHIN_S, loads_model=True)
PREPARE = Question("prepare", PrepareRequest, TypeAdapter(None), SEARCH_WITHIN_S, loads_model=True)
CHECK_LEDGER = Question("check_ledger", CheckLedgerRequest, TypeAdapter(LedgerReport))
HUB_PATH = Question("hub_path", ModelRequest, TypeAdapter(str))
MEASURE = Question("measure", ModelRequest, TypeAdapter(ModelSpeed))
REMOVE_INDEX = Question("remove_index", RemoveIndexRequest, TypeAdapter(int))
REMOVE_VECTORS = Question("remove_vectors", RemoveVectorsRequest, TypeAdapter(int), FORGET_WITHIN_S)

QUESTIONS: tuple[Question[Any, Any], ...] = (
    FIND,
    PREPARE,
    CHECK_LEDGER,
    HUB_PATH,
    MEASURE,
    REMOVE_INDEX,
    REMOVE_VECTORS,
)


def find(request: FindRequest) -> FindAnswer:
    """The pictures nearest to a query, best first, and whether any of them shows it.

    Raises:
        AppError: the collection or the model is gone, or a term is no picture that can be read.
    """
    return ask(FIND, request)


def prepare(request: PrepareRequest) -> None:
    """Have the model in memory before the first search comes.

    Raises:
        AppError: the model cannot be loaded.
    """
    ask(PREPARE, request)


def check_ledger(request: CheckLedgerRequest) -> LedgerReport:
    """Check the ledger against itself and the stored vectors, and repair where that is wanted."""
    return ask(CHECK_LEDGER, request)


def hub_path(request: ModelRequest) -> str:
    """Where the hub has the weights of a model.

    Raises:
        AppError: OpenCLIP knows no weights of that name.
    """
    return ask(HUB_PATH, request)


def measure(request: ModelRequest) -> ModelSpeed:
    """How fast a model is on this computer.

    Raises:
        AppError: something is being indexed, or the model cannot be had.
    """
    return ask(MEASURE, request)


def remove_index(request: RemoveIndexRequest) -> int:
    """Forget all vectors of a model that no session uses; how many pictures that were.

    Raises:
        AppError: a session uses it, or it is the only one that can be searched with.
    """
    return ask(REMOVE_INDEX, request)


def remove_vectors(request: RemoveVectorsRequest) -> int:
    """Forget the vectors of pictures that the ledger has removed; how many ids the store was
    handed."""
    return ask(REMOVE_VECTORS, request)

"""What workers may be asked to do, and jobs that can ask for nothing else.

Whoever can write to the Redis server can put a job there. So nothing in Redis is ever unpickled,
and a job names one of the functions listed here, or it is refused before anything is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from importlib import import_module
from typing import Any

from redis import Redis
from rq import serializers
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job

JOBS = frozenset(
    {
        "app.worker.maintenance.ledger_repair.undo_broken_stores",
        "app.worker.near_duplicates.find_near_duplicates",
        "app.worker.maintenance.payloads.refresh_payloads",
        "app.worker.answers.answer",
        "app.worker.maintenance.thumbnail_cleanup.clean_thumbnails",
        "app.worker.thumbnails.make_thumbnails",
        "app.worker.indexing.jobs.train_batch",
        "app.worker.indexing.jobs.train_session",
        "app.worker.indexing.jobs.train_single_asset",
        "app.worker.maintenance.updates.update_session",
    }
)
"""Functions that a job may name. Their arguments and results are what JSON can hold."""
QUESTIONS = frozenset(
    {
        "app.worker.maintenance.ledger_check.check_ledger",
        "app.worker.models.hub_path",
        "app.worker.models.measure",
        "app.worker.models.remove_index",
        "app.worker.search.find",
        "app.worker.search.prepare",
        "app.worker.maintenance.updates.remove_vectors",
    }
)
"""Functions that ``ask_worker`` may name."""

# RQ unpickles wherever it is not told otherwise, and in some places it cannot be told.
serializers.PickleSerializer = serializers.DefaultSerializer = serializers.JSONSerializer  # type: ignore[misc,assignment]


class UnknownFunctionError(LookupError):
    """A job or a question names a function that is not on the list."""


def load(name: object, among: Collection[str]) -> Callable[..., Any]:
    """The function of this name.

    Raises:
        UnknownFunctionError: it is not on the list; nothing was imported.
    """
    if not isinstance(name, str) or name not in among:
        raise UnknownFunctionError(f"{name!r} is not a function that workers may be asked for")
    module, _, function = name.rpartition(".")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


class KnownJob(Job):
    """A job of ours: a listed function with JSON for arguments, no callbacks and no webhooks."""

    success_callback = failure_callback = stopped_callback = None

    @property
    def func(self) -> Callable[..., Any]:
        """The function that it names."""
        return load(self.func_name, JOBS)

    def send_webhooks(self, *args: object, **kwargs: object) -> None:
        """Never: an address in Redis may be anybody's."""

    def restore(self, raw_data: Any) -> None:
        try:
            super().restore(raw_data)
        except NoSuchJobError:
            raise
        except Exception as error:  # RQ raises whatever a field of another shape leads to
            raise NoSuchJobError("what is stored is no job") from error

    @classmethod
    def fetch_many(
        cls, job_ids: Iterable[str], connection: Redis, serializer: Any = None
    ) -> list[Job | None]:
        """The jobs of these ids; None for each that is not there, or is no job."""
        ids = list(job_ids)
        try:
            return super().fetch_many(ids, connection, serializer)
        except NoSuchJobError:
            return [cls._fetch_if_job(job_id, connection, serializer) for job_id in ids]

    @classmethod
    def _fetch_if_job(cls, job_id: str, connection: Redis, serializer: Any) -> Job | None:
        try:
            return cls.fetch(job_id, connection, serializer)
        except NoSuchJobError:
            return None

    def _deserialize_data(self) -> None:
        super()._deserialize_data()  # type: ignore[no-untyped-call]
        if not isinstance(self._args, list) or not isinstance(self._kwargs, dict):
            raise DeserializationError

"""What one worker process holds: its name, the model in memory, the vector store, its stop flag."""

from __future__ import annotations

import logging
import os
import socket
import threading
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from app.config import get_settings
from app.db.clock import ledger_now
from app.db.engine import write_transaction
from app.db.files import upsert
from app.db.liveness import process_name
from app.db.models import EmbeddingModel, WorkerRecord
from app.db.switching import adopt_weights
from app.db.types import utc_now
from app.engine.place import HOW, MISSING, find_engine, require_engine
from app.queue.queues import QUEUES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.embedding.encoder import Encoder
    from app.pictures.decoders import Decoders
    from app.pictures.fork_server import ForkServer
    from app.vectors.protocol import VectorStore
    from app.worker.background import Background
    from app.worker.near_duplicates import NearDuplicateScan

log = logging.getLogger(__name__)

IDLE = "idle"
LOADING = "loading the model"
OTHERS_WHO_DECODE = 2
"""Beside a session: thumbnails, and a search by an example."""


class WorkerContext:
    """Made once a process, on first use, so that any RQ worker can run our jobs."""

    def __init__(self) -> None:
        self.name = process_name()
        self.stop = threading.Event()
        """Set when the process is to end; jobs finish their batch and release the rest."""
        self.seen_on: dict[int, str] = {}
        """By device, a folder on it in which this process has read pictures."""
        self.backgrounds: dict[str, Background] = {}
        """By collection."""
        self.text_vectors: dict[tuple[str, str], NDArray[np.float32]] = {}
        """By collection and text, those asked for last at the end; shape (dimension,)."""
        self.duplicate_scans: dict[tuple[int, datetime], NearDuplicateScan] = {}
        """The one that this process has begun, between two of its slices of time; by model and
        request."""
        self._states: dict[int, str] = {}
        self._encoder: Encoder | None = None
        self._encoder_key: tuple[str, str] | None = None
        self._search_encoder: Encoder | None = None
        self._search_spec = ""
        self._store: VectorStore | None = None
        self._decoders: Decoders | None = None
        self._card_server: ForkServer | None = None
        self._encoder_lock = threading.Lock()
        self._search_lock = threading.Lock()
        self._store_lock = threading.Lock()
        self._decoders_lock = threading.Lock()

    @property
    def state(self) -> str:
        """What the worker is doing: of what its threads do, that which tells most."""
        doing = list(self._states.values())
        return min(doing, key=_rank, default=IDLE)

    @state.setter
    def state(self, value: str) -> None:
        """Say what the calling thread does; the others go on with what they do."""
        if value == IDLE:
            self._states.pop(threading.get_ident(), None)
        else:
            self._states[threading.get_ident()] = value

    @property
    def store(self) -> VectorStore:
        """The vector store, opened on first use.

        Raises:
            AppError: it is in use by another process, damaged, or does not answer.
        """
        with self._store_lock:
            if self._store is None:
                from app.vectors.factory import open_store

                self._store = open_store(get_settings())
            return self._store

    @property
    def decoders(self) -> Decoders:
        """The processes that decode; none is started before the first picture comes."""
        with self._decoders_lock:
            if self._decoders is None:
                from app.pictures.decoder_limits import limits_for
                from app.pictures.decoders import Decoders, decode_threads

                at_once = decode_threads() + OTHERS_WHO_DECODE
                limits = limits_for(at_once, get_settings().max_image_megapixels)
                self._decoders = Decoders(limits, self.stop)
            return self._decoders

    @property
    def card_server(self) -> ForkServer:
        """What starts processes that decode with a card."""
        with self._decoders_lock:
            if self._card_server is None:
                from app.pictures.fork_server import ForkServer

                self._card_server = ForkServer(self.stop, "card-decoder")
            return self._card_server

    def encoder(self, model: str, device: str = "auto") -> Encoder:
        """The encoder for a model, loaded unless it is the one in memory.

        Raises:
            ModelError: the model cannot be had.
            AppError: the engine is not there yet, or there is no such device.
        """
        require_engine()
        settings = get_settings()
        wanted = (model, settings.device if device == "auto" else device)
        with self._encoder_lock:
            if self._encoder is None or self._encoder_key != wanted:
                from app.embedding.card_processes import has_card, may_decode

                self._encoder = None  # two models may not fit into memory together
                if has_card() and may_decode():
                    self.card_server.prepare()  # it loads its libraries meanwhile
                before, self.state = self._states.get(threading.get_ident(), IDLE), LOADING
                try:
                    self._encoder = self._take_or_load(*wanted)
                finally:
                    self.state = before
                self._encoder_key = wanted
                log.info("model %s %s", model, self._encoder.how())
            return self._encoder

    def _take_or_load(self, model: str, device: str) -> Encoder:
        """The encoder for searches, where it is this model's, or a new one."""
        from app.embedding.loading import load_encoder
        from app.embedding.tuning import tuned

        settings = get_settings()
        for_searches = self._search_encoder
        if for_searches is not None and (self._search_spec, settings.device) == (model, device):
            # it may have been measured while a session kept the processor busy
            return tuned(for_searches, for_searches.precision, busy=False)
        return load_encoder(model, device, settings.precision)

    def search_encoder(self, model: str) -> Encoder:
        """The encoder for questions: the one that pictures are embedded with, where it is the same.

        A session with another model goes on meanwhile, so that one is loaded beside it.

        Raises:
            AppError: the engine is not there yet, or the model cannot be had.
        """
        require_engine()
        with self._search_lock:
            encoder, key = self._encoder, self._encoder_key
            if encoder is not None and key is not None and key[0] == model:
                self._search_encoder = None
                return encoder
            if self._search_encoder is None or self._search_spec != model:
                from app.embedding.loading import load_encoder

                settings = get_settings()
                self._search_encoder = None
                self._search_encoder = load_encoder(
                    model, settings.device, settings.precision, busy=self._in_session()
                )
                self._search_spec = model
                log.info("model %s for searches", model)
            return self._search_encoder

    def _in_session(self) -> bool:
        return any(state.startswith("session") for state in list(self._states.values()))

    def beat(self, *, stopped: bool = False) -> None:
        """Write to the ledger that this worker is alive, or that it has stopped."""
        encoder = self._encoder
        values: dict[str, Any] = {
            "device": encoder.device_label if encoder else "",
            "model": encoder.name if encoder else "",
            "state": self.state,
            "notice": _notice(encoder),
        }
        with write_transaction() as conn:
            now = ledger_now(conn)
            values |= {"beat_at": now, "stopped_at": now if stopped else None}
            conn.execute(
                upsert(conn, WorkerRecord)
                .values(
                    name=self.name,
                    host=socket.gethostname(),
                    pid=os.getpid(),
                    queues=list(QUEUES),
                    started_at=now,
                    **values,
                )
                .on_conflict_do_update(index_elements=[WorkerRecord.name], set_=values)
            )

    def close(self) -> None:
        """Let go of the model and the store, and end the processes that decode."""
        self.close_decoders()
        with self._encoder_lock, self._search_lock, self._store_lock:
            self._encoder = self._search_encoder = None
            self._encoder_key = None
            if self._store is not None:
                self._store.close()
                self._store = None

    def close_decoders(self) -> None:
        """End the processes that decode; the next picture starts them anew."""
        with self._decoders_lock:
            if self._decoders is not None:
                self._decoders.close()
                self._decoders = None
            if self._card_server is not None:
                self._card_server.close()
                self._card_server = None


def _notice(encoder: Encoder | None) -> str:
    if encoder is not None:
        return encoder.notice
    return "" if find_engine() else f"{MISSING} {HOW}."


def _rank(state: str) -> int:
    """A rank: people wait for the model first, and ask for their sessions next."""
    return 0 if state == LOADING else 1 if state.startswith("session") else 2


@lru_cache(maxsize=1)
def context() -> WorkerContext:
    """The context of this process."""
    return WorkerContext()


def register_model(encoder: Encoder, spec: str) -> int:
    """The ledger's id of the encoder's weights, entered on first sight.

    Sessions of the same name with other weights change over to these.

    Args:
        spec: what it was loaded by.

    Raises:
        AppError: another computer works with newer weights of that name.
    """
    key = {
        "name": encoder.name,
        "version": encoder.version,
        "weights_digest": encoder.digest,
    }
    with write_transaction() as conn:
        conn.execute(
            upsert(conn, EmbeddingModel)
            .values(
                **key,
                dimension=encoder.dimension,
                collection=encoder.collection,
                spec=spec,
                created_at=utc_now(),
            )
            .on_conflict_do_update(index_elements=list(key), set_={"spec": spec})
        )
        model_id = conn.execute(select(EmbeddingModel.id).filter_by(**key)).scalar_one()
        many = bool(get_settings().qdrant_url)  # computers, which may not have the same weights
        if changed := adopt_weights(conn, spec, model_id, only_newer=many):
            log.warning("%s has new weights: %d sessions are indexed again", spec, changed)
        return model_id

"""``search``: find pictures by a description or an example, in a terminal."""

from __future__ import annotations

import argparse
import asyncio
import locale
import sys

from pydantic import ValidationError

from app.api.search_schemas import SearchQuery, SearchResultPage
from app.cli.foreground import Waiting, working
from app.embedding.catalogue import RECOMMENDED_FOR_OTHERS
from app.errors import AppError, first_refused
from app.languages import is_unread
from app.printable import printable
from app.queue.ask import WorkerAwayError
from app.runtime.supervisor import Supervisor
from app.services.backend import Backend

TRY_AGAIN_S = 0.5


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What ``search`` understands."""
    command.add_argument("text", nargs="*", metavar="TEXT", help="what the picture shows")
    command.add_argument(
        "--like", action="append", default=[], metavar="FILE", help="an example picture"
    )
    command.add_argument(
        "--minus", action="append", default=[], metavar="TEXT", help="what it does not show"
    )
    command.add_argument("--session", type=int, metavar="ID", help="only pictures of this session")
    command.add_argument("--folder", help="only pictures in this folder and its subfolders")
    command.add_argument(
        "--top", type=_count, default=20, metavar="N", help="number of results; default 20"
    )
    command.add_argument(
        "--all", action="store_true", help="also pictures that are far less like it than the best"
    )
    command.add_argument("--min-score", type=float, metavar="S", help="from -1 to 1")
    command.add_argument(
        "--model", type=int, metavar="ID", help="a model's number, as `models` lists it"
    )


def _count(text: str) -> int:
    """How many results, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of results; the least is 1")
    return int(text)


async def search(options: argparse.Namespace, backend: Backend) -> int:
    """Print the best pictures, one a line; 1 where there is none."""
    query = _query(options)
    async with working(wait_until_ready=True) as supervisor:
        page = await _answer(backend, query, options.top, supervisor)
    if options.json:
        print(page.model_dump_json())
    else:
        if remark := await _remark(backend, options, page):
            print(remark, file=sys.stderr)
        for hit in page.hits:
            print(f"{hit.score:.3f}  {printable(hit.path)}")
        if not page.hits:
            print("No picture was found.")
        if page.leftOut:
            print("Others are far less like it; --all shows them.", file=sys.stderr)
    return 0 if page.hits else 1


async def _remark(backend: Backend, options: argparse.Namespace, page: SearchResultPage) -> str:
    """What to know of the answer before one reads it; empty where that is nothing."""
    text, language = printable(" ".join(options.text)), locale.getlocale()[0] or ""
    async with backend.db() as db:
        models = await backend.search.models(db)
    model = next((model for model in models if model.modelId == page.modelId), None)
    if model and is_unread(text, model.spec, known=page.known, language=language):
        other = RECOMMENDED_FOR_OTHERS
        return f"{model.title} reads English only; {other.spec} understands many languages."
    return "" if page.known else f"Nothing here looks like “{text}”. Closest:"


def _query(options: argparse.Namespace) -> SearchQuery:
    terms: list[dict[str, object]] = [{"path": path} for path in options.like]
    if options.text:
        terms.append({"text": " ".join(options.text)})
    terms += [{"text": text, "weight": -1.0} for text in options.minus]
    try:
        return SearchQuery.model_validate(
            {
                "terms": terms,
                "filter": {"sessionId": options.session, "folder": options.folder},
                "minScore": options.min_score,
                "likelyOnly": not options.all,
                "modelId": options.model,
            }
        )
    except ValidationError as error:
        name, message = first_refused(error)
        subject = "--min-score" if name == "minScore" else "The description"
        raise AppError(f"{subject} {message}.", "See: search --help") from error


async def _answer(
    backend: Backend, query: SearchQuery, top: int, supervisor: Supervisor
) -> SearchResultPage:
    """Ask until there is an answer; what takes so long is said."""
    waiting, reported = Waiting(supervisor), ""
    while True:
        try:
            async with backend.db() as db:
                # so that even the first answer is judged
                await backend.search.prepare(db, query.modelId)
                return await backend.search.search(db, query, limit=top)
        except WorkerAwayError as error:
            if error.message != reported:
                print(error.message, file=sys.stderr, flush=True)
            reported = error.message
        waiting.report()
        await asyncio.sleep(TRY_AGAIN_S)

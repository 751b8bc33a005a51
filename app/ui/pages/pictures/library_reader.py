"""What the page of all pictures reads from the ledger: groups, listings, rows, states."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.api.library_schemas import LibraryGroup, LibraryOrder, Listing
from app.api.search_schemas import SearchFilter
from app.ui.pages.pictures.browsed import SECOND_LINES, library_tile
from app.ui.pages.pictures.nodes import LibraryNode, date_nodes, folder_nodes

if TYPE_CHECKING:
    from app.api.library_schemas import PictureState
    from app.services.backend import Backend
    from app.ui.parts.paged_model import Fetch
    from app.ui.pictures.grid import Tile


@dataclass(frozen=True, slots=True)
class Overview:
    """All groups, as they were when the library had this mark."""

    mark: tuple[object, ...]
    model_id: int | None
    folders: list[LibraryNode]
    dates: list[LibraryNode]


class LibraryReader:
    """Asks the services, each time with a look of its own at the ledger."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def mark(self) -> tuple[object, ...]:
        """Another one says that the library may have changed."""
        async with self._backend.db() as db:
            return await self._backend.library.change_mark(db)

    async def overview(self, mark: tuple[object, ...]) -> Overview:
        """All groups; ``mark`` was read before."""
        library = self._backend.library
        async with self._backend.db() as db:
            models = await self._backend.search.models(db)
            folders, months = await library.folders(db), await library.months(db)
        model_id = next((item.modelId for item in models if item.inUse), None)
        nodes = await asyncio.to_thread(folder_nodes, folders)
        return Overview(mark, model_id, nodes, date_nodes(months))

    async def listing(
        self,
        model_id: int | None,
        group: LibraryGroup,
        state: PictureState | None,
        only: SearchFilter,
        order: LibraryOrder,
    ) -> Listing:
        """The pictures of a group."""
        async with self._backend.db() as db:
            return await self._backend.library.listing(db, model_id, group, state, only, order)

    def tiles(
        self, model_id: Callable[[], int | None], listing: Listing, order: LibraryOrder
    ) -> Fetch[Tile]:
        """What fetches the tiles of a listing, some at a time; ``model_id`` is asked each time."""
        second_line = SECOND_LINES[order]

        async def fetch(offset: int, limit: int) -> Sequence[Tile]:
            async with self._backend.db() as db:
                found = await self._backend.library.page(db, model_id(), listing, offset, limit)
            return [library_tile(picture, second_line(picture)) for picture in found]

        return fetch

    async def counts(
        self, model_id: int | None, group: LibraryGroup, only: SearchFilter
    ) -> dict[PictureState, int]:
        """How many pictures of a group are in each state; this may take a second."""
        async with self._backend.db() as db:
            return await self._backend.library.counts(db, model_id, group, only)

    async def include(self, tiles: Sequence[Tile]) -> int:
        """Take the excluded ones among these back; how many."""
        excluded = [tile.asset_id for tile in tiles if tile.state == "excluded"]
        async with self._backend.db() as db:
            return await self._backend.library.include(db, excluded)

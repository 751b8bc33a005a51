"""The engine's part of a page, with real services, small wheels and an index on this computer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from local_hub import LocalHub
from page_parts import Parts
from small_wheels import BROKEN, TEST, WORKS, engine, forget_the_engine, serve

from app.engine.lock import Lock
from app.engine.place import current
from app.services.engine_service import EngineService
from app.ui.pages.models.page import ModelsPage
from app.ui.pages.sessions.first_run import FirstRunPage
from app.ui.parts.engine_panel import EnginePanel


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_the_engine(monkeypatch)


def with_engines(backend: Any, hub: LocalHub, wheels: Path, files: dict[str, str] = WORKS) -> Any:
    """The services, with one engine on the index."""
    lock = Lock(indexes={"local": f"{hub.url}/simple"}, variants=(engine(wheels, files=files),))
    serve(hub, wheels)
    return replace(backend, engine=EngineService(lock, TEST))


def test_the_first_page_offers_the_engine_and_says_what_it_costs(
    qt_loop: Any, backend: Any, hub: LocalHub, tmp_path: Path
) -> None:
    services = with_engines(backend, hub, tmp_path)

    async def steps() -> None:
        async with Parts(services) as parts:
            page = parts.show(FirstRunPage(services, parts.runner))
            changed: list[bool] = []
            page.engine_changed.connect(lambda: changed.append(True))
            panel: EnginePanel = page.engine
            await qt_loop.until(panel.isVisible)
            assert "not on this computer yet" in panel.text.text()
            assert "Download" in panel.install_button.text()
            assert "on the disk, where" in panel.cost.text()
            assert not panel.remove_button.isVisible()
            panel.install_button.click()
            await qt_loop.until(lambda: changed)
            await qt_loop.until(panel.isHidden)
            assert current() is not None

    qt_loop.run(steps())


def test_the_models_page_shows_the_engine_and_removes_it(
    qt_loop: Any, backend: Any, hub: LocalHub, tmp_path: Path
) -> None:
    services = with_engines(backend, hub, tmp_path)

    async def steps() -> None:
        await services.engine.install()
        async with Parts(services) as parts:
            page = parts.show(ModelsPage(services, parts.runner, parts.poller))
            panel: EnginePanel = page.engine
            await qt_loop.until(panel.isVisible)
            assert "The engine is installed: Processor, 2.0." in panel.text.text()
            assert not panel.install_button.isEnabled()
            panel.remove_button.click()
            assert panel.question is not None
            panel.question.yes_button.click()
            await qt_loop.until(lambda: current() is None)
            await qt_loop.until(panel.install_button.isEnabled)
            assert "not on this computer yet" in panel.text.text()

    qt_loop.run(steps())


def test_what_went_wrong_is_said_and_can_be_tried_again(
    qt_loop: Any, backend: Any, hub: LocalHub, tmp_path: Path
) -> None:
    services = with_engines(backend, hub, tmp_path, BROKEN)

    async def steps() -> None:
        async with Parts(services) as parts:
            page = parts.show(ModelsPage(services, parts.runner, parts.poller))
            panel: EnginePanel = page.engine
            await qt_loop.until(panel.isVisible)
            panel.install_button.click()
            await qt_loop.until(lambda: "libcuda.so is missing" in panel.progress.problem.text())
            assert panel.progress.again_button.isVisible()
            asked = len(hub.requests)
            panel.progress.again_button.click()
            await qt_loop.until(lambda: panel.progress.again_button.isHidden())
            await qt_loop.until(panel.progress.again_button.isVisible)
            assert len(hub.requests) == asked  # the download was kept

    qt_loop.run(steps())


def test_where_the_engine_is_installed_beside_the_program_nothing_is_said(
    qt_loop: Any, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.engine.place.NEEDED", ("json",))

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = parts.show(ModelsPage(backend, parts.runner, parts.poller))
            await qt_loop.until(lambda: page.cards)
            assert page.engine.isHidden()

    qt_loop.run(steps())


def test_where_no_engine_fits_it_is_said(qt_loop: Any, backend: Any) -> None:
    services = replace(backend, engine=EngineService(Lock(indexes={}, variants=())))

    async def steps() -> None:
        async with Parts(services) as parts:
            page = parts.show(ModelsPage(services, parts.runner, parts.poller))
            await qt_loop.until(page.engine.isVisible)
            assert "none to download" in page.engine.text.text()
            assert not page.engine.install_button.isVisible()

    qt_loop.run(steps())

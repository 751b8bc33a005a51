"""The Models page: real services and ledger, a small hub on this computer, no worker."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from drawn_model import DRAWN_MODEL
from ledger_rows import add_pictures, add_session, columns_of, set_columns
from local_hub import LocalHub, local_hub
from page_parts import Parts
from PySide6.QtWidgets import QFileDialog

from app.api.model_schemas import ModelDownload, ModelIndex, ModelRow, ModelSpeed
from app.config import BUILTIN_MODEL, get_settings
from app.db.engine import write_transaction
from app.db.models import EmbeddingModel
from app.db.types import utc_now
from app.embedding.catalogue import CURATED, RECOMMENDED
from app.errors import AppError
from app.ui.pages.models import words as model_words
from app.ui.pages.models.card import ModelCard
from app.ui.pages.models.page import ModelsPage
from app.ui.parts.model_download import DownloadOffer, describe

FIRST, SECOND = CURATED[0].spec, CURATED[1].spec
WEIGHTS = Path(DRAWN_MODEL, "open_clip_model.safetensors").read_bytes()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with local_hub(monkeypatch) as hub:
        for choice in CURATED[:2]:
            hub.files[f"{choice.hub_path}open_clip_model.safetensors"] = WEIGHTS
        yield hub


def shown(parts: Parts, backend: Any) -> ModelsPage:
    return parts.show(ModelsPage(backend, parts.runner, parts.poller))


def row(**values: Any) -> ModelRow:
    known: dict[str, Any] = {
        "spec": FIRST,
        "kind": "hub",
        "title": "CLIP ViT-B/32",
        "description": "Quick.",
        "languages": "English",
        "downloadMb": 605,
        "dimension": 512,
        "recommended": True,
        "state": "ready",
    }
    return ModelRow.model_validate(known | values)


def index(**values: Any) -> ModelIndex:
    known: dict[str, Any] = {
        "modelId": 1,
        "vectors": 19_898,
        "sessions": 0,
        "inSearch": False,
        "only": False,
        "picturesPerSecond": None,
        "measuredOn": None,
    }
    return ModelIndex.model_validate(known | values)


# --- the page -----------------------------------------------------------------------------------


def test_every_model_has_a_card_that_says_what_it_is(qt_loop: Any, backend: Any, hub: Any) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            page = shown(parts, backend)
            assert not page.area.isVisible()
            await qt_loop.until(lambda: page.cards)
            assert list(page.cards) == [choice.spec for choice in CURATED]
            first, builtin = page.cards[FIRST], page.cards[BUILTIN_MODEL]
            assert first.title.full_text() == f"{RECOMMENDED.title} (recommended)"
            assert first.action_button.text() == "Download 605 MB"
            assert first.action_button.property("kind") == "primary"
            assert not first.actions_by_name["measure"].isEnabled()
            assert "512 dimensions" in first.details.full_text()
            assert builtin.title.full_text() == "Built-in model"
            assert "knows nothing about people" in builtin.description.text()
            assert builtin.badge.isVisible()
            assert not builtin.action_button.isVisible()
            assert builtin.measure_button.isVisible()
            assert not builtin.actions_by_name["remove"].isVisible()
            assert "1 model on this computer" in page.summary.text()

    qt_loop.run(steps())


def test_a_model_that_cannot_be_loaded_is_grey_and_says_why(
    qt_loop: Any, backend: Any, hub: Any
) -> None:
    add_session("Old", "completed", model="xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k")

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = shown(parts, backend)
            await qt_loop.until(lambda: page.cards)
            card = page.cards["xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k"]
            assert "needs a text model" in card.reason.text()
            assert card.reason.isVisibleTo(page)
            assert not card.title.isEnabled()
            assert not card.action_button.isVisibleTo(page)

    qt_loop.run(steps())


def test_a_download_shows_how_far_it_is_and_ends_as_a_choice(
    qt_loop: Any, backend: Any, hub: LocalHub
) -> None:
    hub.hold_after = 2_000_000

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = shown(parts, backend)
            await qt_loop.until(lambda: page.cards)
            first, second = page.cards[FIRST], page.cards[SECOND]
            first.action_button.click()
            second.action_button.click()
            await qt_loop.until(lambda: "of 6.2 MB" in first.download.text.text())
            assert first.download.isVisible()
            assert not first.action_button.isVisible()
            assert second.download.text.text() == "Waiting for another download"
            # it goes on when the page is left
            page.hide()
            hub.go_on.set()
            hub.hold_after = None
            await qt_loop.until(lambda: not backend.models.downloads())
            page.show()
            await qt_loop.until(lambda: first.action_button.text() == "Use for new sessions")
            assert not first.download.isVisible()
            assert "6.2 MB on this computer" in first.facts.text()
            first.action_button.click()
            await qt_loop.until(lambda: first.badge.isVisible())
            assert get_settings().model == FIRST
            assert not page.cards[BUILTIN_MODEL].badge.isVisible()

    qt_loop.run(steps())


def test_a_stopped_download_goes_on_from_where_it_was(
    qt_loop: Any, backend: Any, hub: LocalHub
) -> None:
    hub.hold_after = 2_000_000

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = shown(parts, backend)
            await qt_loop.until(lambda: page.cards)
            card = page.cards[FIRST]
            card.action_button.click()
            await qt_loop.until(
                lambda: (state := backend.models.downloads().get(FIRST)) and state.doneBytes
            )
            await qt_loop.until(lambda: card.download.stop_button.isVisible())
            card.download.stop_button.click()
            hub.go_on.set()
            await qt_loop.until(lambda: card.action_button.text() == "Resume download")
            hub.hold_after = None
            card.action_button.click()
            await qt_loop.until(lambda: card.row.state == "ready")
            assert hub.ranges()[-1] not in ("", "bytes=0-")

    qt_loop.run(steps())


def test_a_download_that_fails_says_why_and_can_be_tried_again(
    qt_loop: Any, backend: Any, hub: LocalHub
) -> None:
    hub.status = 503

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = shown(parts, backend)
            await qt_loop.until(lambda: page.cards)
            card = page.cards[FIRST]
            card.action_button.click()
            await qt_loop.until(lambda: card.download.problem.isVisible())
            assert "503" in card.download.problem.text()
            assert "Try again later" in card.download.problem.text()
            assert not card.action_button.isVisible()
            hub.status = 200
            assert not card.download.others_button.isVisible()  # the page shows them all
            card.download.again_button.click()
            await qt_loop.until(lambda: card.row.state == "ready")
            assert not card.download.isVisible()

    qt_loop.run(steps())


def test_a_downloaded_model_is_removed_after_a_question(
    qt_loop: Any, backend: Any, hub: LocalHub
) -> None:
    async def steps() -> None:
        await backend.models.download(FIRST)
        async with Parts(backend) as parts:
            page = shown(parts, backend)
            await qt_loop.until(lambda: page.cards)
            card = page.cards[FIRST]
            card.actions_by_name["remove"].trigger()
            assert page.question is not None
            page.question.reject()
            assert card.row.state == "ready"
            card.actions_by_name["remove"].trigger()
            page.question.accept()
            await qt_loop.until(lambda: card.row.state == "absent")
            assert card.action_button.text() == "Download 605 MB"

    qt_loop.run(steps())


def test_a_folder_of_ones_own_gets_a_card_and_a_wrong_one_a_sentence(
    qt_loop: Any, backend: Any, hub: Any, tmp_path: Path
) -> None:
    folder = str(shutil.copytree(DRAWN_MODEL, tmp_path / "my model"))

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = shown(parts, backend)
            await qt_loop.until(lambda: page.cards)
            page.add_button.click()
            (dialog,) = page.window().findChildren(QFileDialog)
            dialog.fileSelected.emit(str(tmp_path))
            dialog.reject()
            await qt_loop.until(lambda: page.problem.isVisible())
            assert "not an OpenCLIP model" in page.problem.text()
            page.add_folder(folder)
            await qt_loop.until(lambda: folder in page.cards)
            assert not page.problem.isVisible()
            card = page.cards[folder]
            assert card.action_button.text() == "Use for new sessions"
            assert not card.actions_by_name["remove"].isVisible()
            card.actions_by_name["forget"].trigger()
            await qt_loop.until(lambda: folder not in page.cards)
            assert Path(folder).is_dir()

    qt_loop.run(steps())


def test_indexing_everything_again_asks_and_starts(
    qt_loop: Any, backend: Any, hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.training_service.enqueue_session", lambda _session: "job")
    session_id = add_session("Holiday", "completed", model=FIRST)
    add_pictures(session_id, {"completed": ["/photos/a.jpg", "/photos/b.jpg"]})

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = shown(parts, backend)
            await qt_loop.until(lambda: page.cards)
            assert not page.cards[FIRST].actions_by_name["switch"].isEnabled()
            card = page.cards[BUILTIN_MODEL]
            card.actions_by_name["switch"].trigger()
            assert page.question is not None
            assert "2 pictures" in page.question.accessibleDescription()
            assert "searches use the current index" in page.question.accessibleDescription()
            page.question.accept()
            await qt_loop.until(lambda: columns_of(session_id)["model"] == BUILTIN_MODEL)
            assert columns_of(session_id)["status"] == "running"
            assert columns_of(session_id)["completed_images"] == 0
            await qt_loop.until(lambda: card.indexed.isVisible())

            # one that is being indexed is not changed, and says so on the card
            set_columns(session_id, model=FIRST)
            page._list.now()
            await qt_loop.until(lambda: page.cards[FIRST].row.sessions == 1)
            card.actions_by_name["switch"].trigger()
            page.question.accept()
            await qt_loop.until(lambda: card.problem.isVisible())
            assert "Pause it" in card.problem.text()

    qt_loop.run(steps())


def test_a_measurement_stands_on_the_card_and_so_does_its_failure(
    qt_loop: Any, backend: Any, hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            page = shown(parts, backend)
            await qt_loop.until(lambda: page.cards)
            card = page.cards[BUILTIN_MODEL]
            card.measure_button.click()
            assert not card.measure_button.isEnabled()
            await qt_loop.until(lambda: card.problem.isVisible())
            assert "indexing process" in card.problem.text()
            assert card.measure_button.isEnabled()

            async def measure(_service: Any, spec: str) -> ModelSpeed:
                add_model(spec, pictures_per_second=38.4, measured_on="cuda:0 NVIDIA H100")
                return ModelSpeed(picturesPerSecond=38.4, measuredOn="cuda:0 NVIDIA H100")

            monkeypatch.setattr(type(backend.models), "measure", measure)
            card.measure_button.click()
            assert not card.problem.isVisible()
            await qt_loop.until(lambda: "About 38 pictures a second" in card.facts.text())
            assert "on this computer (GPU)" in card.facts.text()
            assert not card.measure_button.isVisible()

    qt_loop.run(steps())


def test_an_index_that_nobody_uses_is_removed_after_a_question(
    qt_loop: Any, backend: Any, hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[int] = []

    async def remove_index(_service: Any, model_id: int) -> int:
        removed.append(model_id)
        raise AppError("The indexing process does not answer.", "Try again.")

    monkeypatch.setattr(type(backend.models), "remove_index", remove_index)

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = shown(parts, backend)
            await qt_loop.until(lambda: page.cards)
            card = page.cards[FIRST]
            card.show_row(row(indexes=[index(modelId=7)]), others=True)
            card.actions_by_name["remove-index"].trigger()
            assert page.question is not None
            assert "19,898 pictures" in page.question.accessibleDescription()
            page.question.accept()
            await qt_loop.until(lambda: card.problem.isVisible())
            assert removed == [7]

    qt_loop.run(steps())


def add_model(spec: str, **values: Any) -> None:
    with write_transaction() as conn:
        conn.execute(
            EmbeddingModel.__table__.insert().values(
                name=spec,
                version="1",
                weights_digest="0" * 64,
                dimension=8,
                collection=spec,
                spec=spec,
                created_at=utc_now(),
                **values,
            )
        )


# --- one card -----------------------------------------------------------------------------------


def card_of(shown_row: ModelRow, *, others: bool = True) -> ModelCard:
    from app.ui.parts.theme import theme

    theme()
    card = ModelCard(shown_row)
    card.show_row(shown_row, others=others)
    card.resize(800, 200)
    card.show()
    return card


@pytest.mark.usefixtures("qt_loop")
def test_why_an_index_stays_is_said() -> None:
    def why(*indexes: ModelIndex) -> str:
        action = card_of(row(indexes=list(indexes))).actions_by_name["remove-index"]
        assert action.isEnabled() == (not action.toolTip() or action.toolTip() == action.text())
        return action.toolTip()

    assert "Nothing is indexed" in why()
    assert "Nothing is indexed" in why(index(vectors=0))
    assert "only index" in why(index(only=True, inSearch=True))
    assert "Sessions use it" in why(index(sessions=2))
    assert card_of(row(indexes=[index()])).actions_by_name["remove-index"].isEnabled()


@pytest.mark.usefixtures("qt_loop")
def test_every_button_has_a_name_for_a_screen_reader() -> None:
    card = card_of(row(indexes=[index(inSearch=True)]))
    assert card.accessibleName() == "CLIP ViT-B/32"
    assert card.action_button.accessibleName() == "Use for new sessions: CLIP ViT-B/32"
    assert card.more_button.accessibleName() == "CLIP ViT-B/32: more actions"
    assert card.indexed.accessibleName() == "19,898 pictures indexed, used for searches"


# --- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "device", "text"),
    [
        (38.2, "cpu", "About 38 pictures a second on this computer (CPU)"),
        (1383.0, "cuda:0 NVIDIA H100", "About 1,383 pictures a second on this computer (GPU)"),
        (3.24, "cpu", "About 3.2 pictures a second on this computer (CPU)"),
        (0.2, "cpu", "About 5 s a picture on this computer"),
        (None, None, "Speed not measured yet"),
    ],
)
def test_speeds_in_words(rate: float | None, device: str | None, text: str) -> None:
    known = row(indexes=[index(picturesPerSecond=rate, measuredOn=device)])
    assert model_words.speed(known) == text


def test_downloads_in_words() -> None:
    def said(**values: Any) -> str:
        return describe(ModelDownload.model_validate({"phase": "downloading"} | values))

    running = {"doneBytes": 312_000_000, "totalBytes": 605_000_000}
    assert said(**running) == "312 MB of 605 MB"
    with_rate = said(**running, bytesPerSecond=8_100_000.0, secondsLeft=120.0)
    assert with_rate == "312 MB of 605 MB, 8.1 MB a second. About 2 minutes left"
    assert said(doneBytes=5_000_000) == "5.0 MB"
    assert said(phase="checking", **running) == "Checking the download…"
    assert said(phase="connecting") == "Connecting…"


def test_what_changing_over_means_is_said_in_numbers() -> None:
    target = row(indexes=[index(picturesPerSecond=40.0, measuredOn="cpu")])
    others = [row(spec="a", sessions=2, pictures=20_000), row(spec="b", sessions=1, pictures=4_000)]
    title, text = model_words.switch_question(target, others)
    assert title == "Index everything with CLIP ViT-B/32?"
    assert "3 sessions with 24,000 pictures are indexed again, for about 10 min" in text
    _, text = model_words.switch_question(row(), [row(spec="b", sessions=1, pictures=1)])
    assert "1 session with 1 picture is indexed again." in text
    _, text = model_words.remove_question(row(diskBytes=605_000_000, sessions=1, inUse=True))
    assert "605 MB" in text
    assert "downloads the model again" in text
    assert "model for new sessions" in text


# --- where a model is chosen --------------------------------------------------------------------


@pytest.fixture
def offered(backend: Any) -> Callable[..., DownloadOffer]:
    def make(parts: Parts, *, at_once: bool) -> DownloadOffer:
        offer = DownloadOffer(backend, parts.runner, at_once=at_once)
        return parts.show(offer, 520, 120)

    return make


def test_a_model_that_is_here_needs_no_word(
    qt_loop: Any, backend: Any, hub: LocalHub, offered: Any
) -> None:
    async def steps() -> None:
        await backend.models.download(FIRST)
        async with Parts(backend) as parts:
            offer = offered(parts, at_once=True)
            for spec in (BUILTIN_MODEL, FIRST):
                offer.show_model(spec, chosen=True)
                await qt_loop.until(lambda: not parts.runner._tasks)
                assert not offer.download_button.isVisible()
                assert not offer.progress.isVisible()

    qt_loop.run(steps())


def test_a_model_that_is_picked_is_downloaded_where_that_was_asked_for(
    qt_loop: Any, backend: Any, hub: LocalHub, offered: Any
) -> None:
    hub.hold_after = 2_000_000

    async def steps() -> None:
        async with Parts(backend) as parts:
            offer = offered(parts, at_once=True)
            offer.show_model(RECOMMENDED.spec, chosen=True)
            await qt_loop.until(lambda: offer.progress.isVisible())
            await qt_loop.until(
                lambda: (state := backend.models.downloads().get(FIRST)) and state.doneBytes
            )
            offer.progress.stop_button.click()
            hub.go_on.set()
            await qt_loop.until(lambda: offer.download_button.isVisible())
            assert "not on this computer yet" in offer.text.text()
            hub.hold_after = None
            offer.download_button.click()
            assert offer.progress.isVisible()
            await qt_loop.until(lambda: not parts.runner._tasks)
            assert await backend.models.on_disk(FIRST)
            await qt_loop.until(lambda: not offer.progress.isVisible())
            assert not offer.download_button.isVisible()

    qt_loop.run(steps())


def test_a_dialog_offers_a_download_and_may_be_closed_meanwhile(
    qt_loop: Any, backend: Any, hub: LocalHub, offered: Any
) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            offer = offered(parts, at_once=False)
            offer.show_model(FIRST, chosen=True)
            await qt_loop.until(lambda: offer.download_button.isVisible())
            assert hub.requests == []
            offer.download_button.click()
            offer.deleteLater()
            await qt_loop.until(lambda: not parts.runner._tasks)
            assert await backend.models.on_disk(FIRST)

    qt_loop.run(steps())

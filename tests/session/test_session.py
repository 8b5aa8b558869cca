"""The state of one viewer, without a viewer: a script drives what the docks drive."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from napari_scalescope.errors import EncoderError
from napari_scalescope.exchange import read_regions
from napari_scalescope.geometry import Box
from napari_scalescope.regions import Region, Regions
from napari_scalescope.session import Session, View
from napari_scalescope.session import resources as resources_module
from napari_scalescope.session.overlays import AttentionOverlay
from napari_scalescope.settings import Settings

from ..embeddings.fake import FAKE, FakeEncoder
from ..slides.conftest import smooth_picture
from ..slides.memory import coloured_slide, memory_slide

VIEW = View(Box(600, 500, 700, 600), 0.5)


def look(session: Session, view: View = VIEW) -> None:
    session.set_live(True)
    session.set_view(view)
    assert session.wait(30)


def test_live_encodes_what_comes_into_view(session: Session, encoder: FakeEncoder) -> None:
    look(session)
    emb = session.embeddings()
    assert emb is not None
    inside = emb.grid.tiles_in(VIEW.box)
    assert (emb.index_of(inside) >= 0).all()
    assert session.status.text == "Ready"
    assert session.map.found is not None
    assert session.map.found.name.startswith("Attention")
    covered = session.map.found.placement.box(session.map.found.values.shape)
    assert covered.x <= 600
    assert covered.x1 >= 1300


def test_nothing_is_encoded_unasked(session: Session, encoder: FakeEncoder) -> None:
    session.set_view(VIEW)
    assert session.wait(10)
    assert encoder.encoded == 0
    assert session.map.found is None
    session.encode_view()
    assert session.wait(10)
    assert encoder.encoded > 0


def test_coming_back_costs_nothing(session: Session, encoder: FakeEncoder) -> None:
    look(session)
    count = encoder.encoded
    look(session, View(Box(1500, 1200, 400, 400), 0.5))
    more = encoder.encoded
    assert more > count
    look(session)
    assert encoder.encoded == more
    assert session.map.found is not None


def test_tomorrow_it_is_read_from_disk(
    session: Session, encoder: FakeEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(session)
    count, shown = encoder.encoded, session.map.found
    session.close()
    with Session(Settings(store_folder=tmp_path / "store")) as tomorrow:
        tomorrow._resources.choose_encoder(FAKE, None)
        tomorrow.set_slide(coloured_slide(2600, 2000))
        look(tomorrow)
        assert encoder.encoded == count
        assert tomorrow.map.found is not None
        assert shown is not None
        np.testing.assert_array_equal(tomorrow.map.found.values, shown.values)


def test_scale_follows_the_zoom_or_is_fixed(session: Session) -> None:
    look(session)
    assert session.mpps == (0.5,)
    look(session, View(Box(0, 0, 2600, 2000), 1.9))
    assert session.mpps == (2.0,)
    emb = session.embeddings()
    assert emb is not None
    assert emb.grid.mpp == 2.0
    session.choose_scale((0.5, 1.0))
    assert session.wait(30)
    assert session.mpps == (0.5, 1.0)
    assert session.mpp == 1.0  # nearest to the screen's
    assert len(session.embeddings(0.5) or ()) > 0
    assert len(session.embeddings(1.0) or ()) > 0
    with pytest.raises(ValueError, match="follow"):
        session.choose_scale(())


def test_a_click_asks_and_the_answer_is_a_map(session: Session, said: list[str]) -> None:
    look(session)
    session.questions.ask(900, 800)
    assert session.wait(10)
    assert session.look.overlay == "similarity"
    assert session.map.found is not None
    assert session.map.found.at(900, 800) == pytest.approx(1.0, abs=1e-2)
    # The right half of the slide was painted otherwise.
    other = session.map.found.at(1340, 800)
    assert other is None or other < 0.999
    session.show("similarity", tokens=False)
    assert session.wait(10)
    assert session.map.found.values.shape == session.embeddings().grid.shape


def test_a_click_on_what_is_not_encoded_encodes_it(session: Session, encoder: FakeEncoder) -> None:
    session.set_view(VIEW)
    session.questions.ask(900, 800)
    assert session.wait(30)
    assert encoder.encoded > 0
    assert session.map.found is not None


@pytest.mark.parametrize(
    ("overlay", "kind"),
    [("attention", "score"), ("pca", "colour"), ("clusters", "class")],
)
def test_overlays(session: Session, overlay: str, kind: str) -> None:
    look(session)
    session.show(overlay)
    assert session.wait(30)
    assert session.map.found is not None
    assert session.map.found.kind == kind


def test_maps_show_tissue_only(session: Session) -> None:
    look(session, View(Box(0, 0, 1200, 1000), 0.5))
    assert session.map.found is not None
    assert session.map.found.legend.endswith("Tissue only.")
    assert session.map.found.at(40, 40) is None  # glass
    assert session.map.found.at(800, 700) is not None


def test_clusters_follow_what_is_encoded(session: Session, said: list[str]) -> None:
    look(session)
    session.show("clusters", k=2)
    assert session.wait(30)
    assert session.groups.found is not None
    assert session.groups.found.k == 2
    first = len(session.groups.found.labels)
    session.encode_slide()
    assert session.wait(60)
    assert len(session.groups.found.labels) > first
    assert session.map.found is not None
    left, right = session.map.found.at(800, 1000), session.map.found.at(1900, 1000)
    assert left is not None
    assert right is not None
    assert left != right


def test_whole_slide(session: Session) -> None:
    look(session)
    session.encode_slide()
    assert session.wait(60)
    emb = session.embeddings()
    assert emb is not None
    mask = session._resources.require_mask(session.slide)
    assert len(emb) >= (mask.share(emb.grid) >= 0.05).sum()


def test_stop_keeps_what_was_encoded(session: Session, encoder: FakeEncoder) -> None:
    encoder.delay_s = 0.02
    session.set_view(VIEW)
    session.encode_slide()
    stepped = []
    session.tiles_encoded.connect(lambda: stepped.append(1))
    while len(stepped) < 3:
        pass
    session.stop()
    assert session.wait(10)
    emb = session.embeddings()
    assert emb is not None
    assert 12 <= len(emb) < 200
    assert not session.live


def test_projection_is_pca_then_umap(session: Session, said: list[str]) -> None:
    look(session)
    session.encode_slide()
    assert session.wait(60)
    said.clear()
    session.points.find()
    assert session.wait(120)
    assert said.count("projection") == 2
    assert session.points.found is not None
    assert session.points.found.method == "umap"
    assert len(session.points.found.xy) == len(session.points.found.emb)
    said.clear()
    session.points.find()
    assert session.wait(30)
    assert said == []  # nothing was added


def test_selection(session: Session, said: list[str]) -> None:
    look(session)
    said.clear()
    session.select_region(shapely.box(600, 500, 900, 800))
    assert session.selection.found is not None
    assert session.selection.found.mpp == 0.5
    centres = session.embeddings().grid.centres(session.selection.found.tiles)
    assert ((centres > (600, 500)) & (centres < (900, 800))).all()
    session.selection.choose([], 0.5)
    assert len(session.selection.found) == 0
    assert said.count("selection") == 2


def test_export(session: Session, tmp_path: Path) -> None:
    look(session)
    session.show("clusters", k=2)
    assert session.wait(30)
    session.annotations.set(Regions([Region(shapely.box(0, 0, 9, 9), "mine")]))
    for what, classes in (
        ("annotations", {"mine"}),
        ("clusters", {"Cluster 1", "Cluster 2"}),
        ("all", {"mine", "Cluster 1", "Cluster 2"}),
    ):
        path = tmp_path / f"{what}.geojson"
        assert session.annotations.export(path, what) == len(read_regions(path))
        assert set(read_regions(path).labels) == classes


def test_another_slide_forgets_what_was_found(session: Session) -> None:
    look(session)
    session.questions.ask(900, 800)
    session.groups.find()
    session.selection.choose([[1, 1]], 0.5)
    assert session.wait(30)
    session.set_slide(coloured_slide(1500, 1200))
    assert session.wait(30)
    assert session.questions.asked.place is None
    assert session.map.found is None
    assert session.groups.found is None
    assert session.selection.found is None
    assert session.embeddings() is None


def test_another_encoder_keeps_the_question(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(session)
    session.questions.ask(900, 800)
    assert session.wait(30)
    other = FakeEncoder()
    other.weights_sha256 = "0" * 64
    monkeypatch.setattr(resources_module, "load_encoder", lambda *_, **__: other)
    session.choose_encoder("uni")
    assert session.wait(30)
    assert other.encoded > 0
    assert session.questions.asked.place == (900, 800)
    assert session.map.found is not None


def test_heads_and_blocks_of_another_encoder_are_let_go(session: Session) -> None:
    session.show("attention", head=2)
    session.show("attention", made_of="rollout")
    assert session.look.attention.head is None  # rollout is the mean of all
    session.show("attention", made_of=-2)
    session.show("attention", head=2)
    assert session.look.attention == AttentionOverlay(head=2, made_of=-2)
    session.choose_encoder("uni")
    assert session.look.attention == AttentionOverlay()


def test_attention_of_another_block_is_encoded_and_shown(tmp_path: Path) -> None:
    with Session(Settings(store_folder=tmp_path, encoder_folder=tmp_path, device="cpu")) as session:
        session.set_slide(coloured_slide(900, 700))
        session.choose_encoder("untrained")
        look(session, View(Box(0, 0, 600, 500), 0.5))
        usual, vectors = session.map.found, session.embeddings()
        assert usual is not None
        assert vectors is not None
        session.show("attention", made_of="rollout")
        look(session, View(Box(0, 0, 600, 500), 0.5))
        assert session.map.found is not None
        assert session.map.found.name == "Attention (rollout)"
        assert session.map.found.values.shape == usual.values.shape
        assert session.embeddings().key == vectors.key  # everything else stays with the usual set
        session.show("attention", made_of=None)
        assert session.wait(30)
        np.testing.assert_array_equal(session.map.found.values, usual.values)
        with pytest.raises(EncoderError, match="12 blocks"):
            session.show("attention", made_of=-13)


def test_tiles_of_another_size(tmp_path: Path) -> None:
    with Session(Settings(store_folder=tmp_path, encoder_folder=tmp_path, device="cpu")) as session:
        session.set_slide(coloured_slide(900, 700))
        session.choose_encoder("untrained")
        with pytest.raises(ValueError, match="whole patches"):
            session.tiling.choose(tile_px=100)
        session.tiling.choose(tile_px=112)
        look(session, View(Box(0, 0, 600, 500), 0.5))
        emb = session.embeddings()
        assert emb is not None
        assert emb.grid.tile_px == 112
        assert emb.part("patch_tokens").shape[1:3] == (7, 7)
        session.choose_encoder("builtin")
        assert session.tile_px == 224


def test_a_slide_without_resolution_says_so_once(session: Session, said: list[str]) -> None:
    session.set_slide(memory_slide(smooth_picture(900, 700), None))
    for x in range(4):
        look(session, View(Box(x, 0, 500, 500), 1.0))
    failures = [s for s in said if s.startswith("failed")]
    assert len(failures) == 1
    assert "resolution field" in failures[0]
    session.set_slide_mpp(0.5)
    look(session, View(Box(0, 0, 500, 500), 0.5))
    assert session.embeddings() is not None


def test_an_encoder_that_cannot_be_loaded(
    session: Session, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any, **__: Any) -> Any:
        raise EncoderError("UNI2-h is known but its weights are not on this machine.", "Get them.")

    monkeypatch.setattr(resources_module, "load_encoder", missing)
    session.choose_encoder("uni2-h")
    look(session)
    assert [s for s in said if "not on this machine" in s]
    assert session.status.text == "Not encoded"


def test_a_storm_of_camera_moves_leaves_no_backlog(
    session: Session, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand moves while one batch is in the encoder: then the last view, and nothing else."""
    entered, gate = threading.Event(), threading.Event()
    plain, sizes = encoder.encode, []

    def held(pixels: np.ndarray, *keep: Any) -> Any:
        entered.set()
        assert gate.wait(30)
        sizes.append(len(pixels))
        return plain(pixels, *keep)

    monkeypatch.setattr(encoder, "encode", held)
    session.set_live(True)
    session.set_view(View(Box(400, 300, 200, 200), 0.5))
    assert entered.wait(30)
    done: list[tuple[int, int]] = []
    session._engine.stepped.connect(
        lambda _job, _stored, tiles, _p: done.extend(map(tuple, tiles.tolist()))
    )
    for i in range(1000):
        session.set_view(View(Box(400 + i, 300 + i / 2, 500, 400), 0.5))
        assert len(session._engine.wanted) == 1
    last = View(Box(1500, 1200, 500, 400), 0.5)
    session.set_view(last)
    gate.set()
    assert session.wait(30)
    grid = session.embeddings().grid
    around = grid.tiles_in(last.box.grown(grid.pitch)).tolist()
    assert set(done) <= set(map(tuple, around))
    assert set(map(tuple, grid.tiles_in(last.box).tolist())) <= set(done)
    assert sum(sizes) == sizes[0] + len(done)  # what was in the encoder already, and the last view
    assert session.idle
    assert not [t for t in threading.enumerate() if t.name.startswith("scalescope-tiles")]


def test_closing_merges_everything(session: Session, tmp_path: Path) -> None:
    look(session)
    assert list(tmp_path.rglob("*.npz"))
    session.close()
    assert not list(tmp_path.rglob("*.npz"))


def test_a_full_disk_is_told_and_nothing_is_lost(
    session: Session, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    look(session)
    before = len(session.embeddings() or ())

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    look(session, View(Box(1500, 1200, 400, 400), 0.5))
    assert any("disk of the store" in s and "is full" in s for s in said)
    assert len(session.embeddings() or ()) == before

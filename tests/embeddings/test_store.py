"""What was encoded once is there, whole, for good."""

from __future__ import annotations

import errno
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scalescope.embeddings import Store, StoredSet, TileState, disk, journal
from napari_scalescope.embeddings.arrays import Arrays
from napari_scalescope.embeddings.layout import LAYOUT, block_side
from napari_scalescope.encoders import Encoding
from napari_scalescope.errors import StoreError
from napari_scalescope.geometry import TileGrid
from napari_scalescope.slides import Slide

from ..slides.memory import coloured_slide
from .fake import FakeEncoder, Killed
from .many import fill_blocks, made_set


def opened(root: Path, slide: Slide, encoder: FakeEncoder, mpp: float = 0.5) -> StoredSet:
    grid = TileGrid.cover(slide, mpp, 64)
    return Store(root).open_set(slide, encoder, grid)  # type: ignore[arg-type]


def encode(
    stored: StoredSet, slide: Slide, encoder: FakeEncoder, tiles: Any, **options: Any
) -> Any:
    tiles = np.asarray(tiles)
    px = stored.grid.tile_px
    pixels = np.stack([slide.read(stored.grid.box(r, c), size=(px, px)) for r, c in tiles.tolist()])
    coded = encoder.encode(pixels, **options)
    stored.write(tiles, coded)
    return coded


TILES = np.array([[5, 7], [6, 7], [33, 34], [0, 0], [37, 46]])


def test_what_was_written_is_read(tmp_path: Path, slide: Slide, encoder: FakeEncoder) -> None:
    stored = opened(tmp_path, slide, encoder)
    coded = encode(stored, slide, encoder, TILES)
    for again in (stored, opened(tmp_path, slide, encoder)):  # from the journal
        emb = again.embeddings()
        assert emb.tiles.tolist() == sorted(TILES.tolist())
        order = np.lexsort((TILES[:, 1], TILES[:, 0]))
        np.testing.assert_allclose(emb.vectors, coded.embedding[order], atol=1e-3)
        np.testing.assert_allclose(again.read("attention", TILES), coded.attention, atol=1e-3)
        np.testing.assert_allclose(again.read("patch_tokens", TILES), coded.patch_tokens, atol=1e-3)
    stored.close()
    again = opened(tmp_path, slide, encoder)  # from the arrays
    assert not list(tmp_path.rglob("*.npz"))
    np.testing.assert_array_equal(again.embeddings().vectors, emb.vectors)
    np.testing.assert_array_equal(
        again.read("patch_tokens", TILES[::-1]), stored.read("patch_tokens", TILES)[::-1]
    )


def test_missing_is_what_has_not_all_that_is_asked_for(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder
) -> None:
    stored = opened(tmp_path, slide, encoder)
    assert len(stored.missing(TILES)) == 5
    encode(stored, slide, encoder, TILES[:2], keep=("attention",))
    assert stored.missing(TILES).tolist() == TILES[2:].tolist()
    assert stored.missing(TILES, ("attention",)).tolist() == TILES[2:].tolist()
    assert stored.missing(TILES, ("patch_tokens",)).tolist() == TILES.tolist()
    stored.mark(TILES[2:3], TileState.UNREADABLE)
    assert stored.missing(TILES).tolist() == TILES[3:].tolist()
    assert stored.count(TileState.UNREADABLE) == 1


def test_unreadable_tiles_are_tried_once_in_every_run(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder
) -> None:
    stored = opened(tmp_path, slide, encoder)
    stored.mark(TILES, TileState.UNREADABLE)
    stored.merge([(0, 0), (32, 32)])
    assert len(stored.missing(TILES)) == 0
    again = opened(tmp_path, slide, encoder)
    assert again.count(TileState.UNREADABLE) == 5
    assert len(again.missing(TILES)) == 5
    encode(again, slide, encoder, TILES[:2])
    again.close()
    assert again.count(TileState.UNREADABLE) == 3
    assert opened(tmp_path, slide, encoder).count(TileState.UNREADABLE) == 3


def test_parts_that_were_not_kept_are_nan(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder
) -> None:
    stored = opened(tmp_path, slide, encoder)
    encode(stored, slide, encoder, TILES[:1], keep=())
    assert np.isnan(stored.read("attention", TILES[:1])).all()
    emb = stored.embeddings()
    assert emb.attention is None
    with pytest.raises(LookupError, match="no attention"):
        emb.part("attention")
    encode(stored, slide, encoder, TILES[1:2], keep=("attention",))
    emb = stored.embeddings()
    assert emb.having("attention").tolist() == [[6, 7]]
    assert emb.attention is not None
    assert emb.attention.shape == (1, 2, 4, 4)


def test_encoding_a_tile_again_with_more_replaces_it(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder
) -> None:
    stored = opened(tmp_path, slide, encoder)
    stored.embeddings()
    first = encode(stored, slide, encoder, TILES, keep=())
    stored.merge()
    attention = np.full((2, 2, 4, 4), 0.05, np.float32)
    second = Encoding(first.embedding[:2] + 1, attention=attention)
    with pytest.raises(ValueError, match="5 tiles but 2 vectors"):
        stored.write(TILES, second)
    stored.write(TILES[:2], second)
    for again in (stored, opened(tmp_path, slide, encoder)):
        emb = again.embeddings()
        assert len(emb) == 5
        where = emb.index_of(TILES)
        np.testing.assert_allclose(emb.vectors[where[:2]], first.embedding[:2] + 1, atol=1e-3)
        np.testing.assert_allclose(emb.vectors[where[2:]], first.embedding[2:], atol=1e-3)
        assert emb.having("attention").tolist() == TILES[:2].tolist()


def test_a_snapshot_does_not_change(tmp_path: Path, slide: Slide, encoder: FakeEncoder) -> None:
    stored = opened(tmp_path, slide, encoder)
    encode(stored, slide, encoder, TILES[:1])
    emb = stored.embeddings()
    state = emb.state.copy()
    encode(stored, slide, encoder, TILES[1:])
    assert len(emb) == 1
    np.testing.assert_array_equal(emb.state, state)


def test_vectors_stay_those_of_their_snapshot_and_are_read_once(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = opened(tmp_path, slide, encoder)
    wanted: list[int] = []
    read = Arrays.read

    def counted(self: Arrays, name: str, tiles: np.ndarray, dtype: Any) -> Any:
        wanted.append(len(tiles))
        return read(self, name, tiles, dtype)

    monkeypatch.setattr(Arrays, "read", counted)
    first = encode(stored, slide, encoder, TILES[:3])
    before = stored.embeddings()
    kept = before.vectors.copy()
    stored.write(TILES[1:2], Encoding(first.embedding[1:2] + 1))
    encode(stored, slide, encoder, TILES[3:])
    after = stored.embeddings()
    where = after.index_of(TILES)
    np.testing.assert_allclose(after.vectors[where[1]], first.embedding[1] + 1, atol=1e-3)
    np.testing.assert_allclose(after.vectors[where[0]], first.embedding[0], atol=1e-3)
    assert wanted == [3, 3]  # of the second time, those of two tiles were at hand
    np.testing.assert_array_equal(before.vectors, kept)
    again = opened(tmp_path, slide, encoder).embeddings()
    np.testing.assert_array_equal(again.vectors, after.vectors)


def test_vectors_are_in_memory_once(tmp_path: Path, rng: np.random.Generator) -> None:
    """Those of a whole slide are gigabytes."""
    stored = made_set(tmp_path, "big", rows=96, cols=96, dim=64)
    fill_blocks(stored, lambda n: rng.random((n, 64)).astype(np.float16))
    emb = StoredSet(stored.path).embeddings()
    tracemalloc.start()
    vectors = emb.vectors
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 1.2 * vectors.nbytes


def test_a_snapshot_is_made_once_per_write(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder
) -> None:
    stored = opened(tmp_path, slide, encoder)
    encode(stored, slide, encoder, TILES[:1])
    emb = stored.embeddings()
    assert stored.embeddings().vectors is emb.vectors
    stored.mark([[2, 2]], TileState.BACKGROUND)  # no vector is another
    assert stored.embeddings().vectors is emb.vectors
    encode(stored, slide, encoder, TILES[1:])
    assert len(stored.embeddings()) == 5
    stored.mark([[1, 1]], TileState.BACKGROUND)
    assert stored.embeddings().state[1, 1] == TileState.BACKGROUND


def test_another_of_anything_is_another_set(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder
) -> None:
    encode(opened(tmp_path, slide, encoder), slide, encoder, TILES)
    assert len(opened(tmp_path, slide, encoder, mpp=0.6).embeddings()) == 0
    other = FakeEncoder()
    other.weights_sha256 = "0" * 64
    assert len(opened(tmp_path, slide, other).embeddings()) == 0
    assert len(opened(tmp_path, coloured_slide(3000, 2401), encoder).embeddings()) == 0
    rescaled = coloured_slide(3000, 2400)
    rescaled.set_mpp(0.51)
    assert len(opened(tmp_path, rescaled, encoder).embeddings()) == 0


def test_provenance_says_everything(tmp_path: Path, slide: Slide, encoder: FakeEncoder) -> None:
    stored = opened(tmp_path, slide, encoder)
    p = stored.provenance
    assert p["encoder"]["weights_sha256"] == "f" * 64
    assert p["slide"]["fingerprint"] == slide.fingerprint
    assert p["tiles"] == {"mpp": 0.5, "tile_px": 64, "stride_px": 64, "rows": 38, "cols": 47}
    assert "torch" in p["versions"]
    attributes = json.loads((stored.path / "zarr.json").read_text())["attributes"]
    assert attributes == p


def test_blocks_are_bounded_by_their_patch_tokens() -> None:
    assert block_side(2 * 14 * 14 * 192) == 16  # ViT-Tiny: 19 MB a block
    assert block_side(2 * 16 * 16 * 1536) == 8  # ViT-g: 50 MB a block
    assert block_side(10) == 32
    assert block_side(1 << 30) == 4


def test_merging_is_by_block_and_writes_vectors_before_state(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = opened(tmp_path, slide, encoder)
    encode(stored, slide, encoder, TILES)
    written: list[str] = []
    array = stored._arrays.array

    class Spy:
        def __init__(self, name: str) -> None:
            self.name, self.array = name, array(name)

        def __getitem__(self, key: Any) -> Any:
            return self.array[key]

        def __setitem__(self, key: Any, value: Any) -> None:
            written.append(self.name)
            self.array[key] = value

    monkeypatch.setattr(stored._arrays, "array", Spy)
    stored.merge([(0, 0)])
    assert written == ["embedding", "attention", "patch_tokens", "state"]
    # The batch has tiles of other blocks too: it stays until they are merged.
    assert len(list(tmp_path.rglob("*.npz"))) == 1
    stored.merge()
    assert not list(tmp_path.rglob("*.npz"))


def test_a_set_that_was_killed_while_merging_is_merged_again(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = opened(tmp_path / "whole", slide, encoder)
    encode(whole, slide, encoder, TILES)
    whole.close()

    for step in range(1, 8):
        root = tmp_path / str(step)
        stored = opened(root, slide, encoder)
        encode(stored, slide, encoder, TILES)
        array, left = stored._arrays.array, [step]

        def fragile(name: str, array: Any = array, left: list[int] = left) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return array(name)

        monkeypatch.setattr(stored._arrays, "array", fragile)
        with pytest.raises(Killed):
            stored.close()
        again = opened(root, slide, encoder)
        assert len(again.missing(TILES, ("attention", "patch_tokens"))) == 0
        again.close()
        assert tree(root) == tree(tmp_path / "whole")


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder with its content, but for locks and the logs of runs."""
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in sorted(root.rglob("*"))
        if p.is_file() and not {".locks", ".runs"} & {*p.parts}
    }


def test_two_processes_may_write_to_one_set(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder
) -> None:
    """As two napari windows on one slide do. Two objects stand in for two processes."""
    a = opened(tmp_path, slide, encoder)
    encode(a, slide, encoder, TILES[:2])
    b = opened(tmp_path, slide, encoder)  # sees and later merges what a has in its journal
    encode(b, slide, encoder, TILES[2:4])
    b.close()
    encode(a, slide, encoder, TILES[4:])
    assert len(a.embeddings()) == 3
    a.close()
    final = opened(tmp_path, slide, encoder).embeddings()
    assert sorted(final.tiles.tolist()) == sorted(TILES.tolist())
    assert np.isfinite(final.vectors).all()


def test_leftovers_of_the_dead_are_swept(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder
) -> None:
    stored = opened(tmp_path, slide, encoder)
    encode(stored, slide, encoder, TILES[:1])
    journal = next(tmp_path.rglob("*.npz")).parent
    (journal / "999999999-dead.partial").write_bytes(b"half a bat")
    (journal / f"{os.getpid()}-alive.partial").write_bytes(b"half a bat")
    (stored.path / "embedding" / "zarr.0.partial").write_bytes(b"{")
    again = opened(tmp_path, slide, encoder)
    assert not (journal / "999999999-dead.partial").exists()
    assert (journal / f"{os.getpid()}-alive.partial").exists()
    again.merge()
    assert not list(stored.path.rglob("*.partial"))


@pytest.mark.parametrize("damage", ["empty", "half", "zeros", "one byte"])
def test_a_damaged_batch_is_set_aside_and_encoded_again(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder, damage: str
) -> None:
    stored = opened(tmp_path, slide, encoder)
    encode(stored, slide, encoder, TILES[:2])
    path = next(tmp_path.rglob("*.npz"))
    encode(stored, slide, encoder, TILES[2:])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    left = {"empty": b"", "half": data[: len(data) // 2], "zeros": bytes(len(data))}
    path.write_bytes(left.get(damage, data))
    again = opened(tmp_path, slide, encoder)
    assert again.missing(TILES).tolist() == TILES[:2].tolist()
    assert [p.stem for p in tmp_path.rglob("*.damaged")] == [path.stem]
    again.close()
    assert not list(tmp_path.rglob("*.npz"))
    assert len(opened(tmp_path, slide, encoder).embeddings()) == 3


def test_a_block_is_on_the_disk_before_its_batches_go(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    stored = opened(tmp_path, slide, encoder)
    for module in (disk, journal):
        monkeypatch.setattr(module, "flush", flushed.append)
    encode(stored, slide, encoder, TILES)
    (batch,) = tmp_path.rglob("*.npz")
    assert flushed == [batch.with_suffix(".partial"), batch.parent]
    flushed.clear()
    stored.close()
    files = {p for p in stored.path.rglob("*") if p.is_file()}
    assert len(files) == 1 + 3 * (1 + 2) + 2  # three arrays of two blocks, and the state
    made = {stored.path / "zarr.json", stored.path / "state" / "zarr.json"}  # flushed then
    assert files - made <= set(flushed)


def test_a_foreign_folder_is_refused(tmp_path: Path, slide: Slide, encoder: FakeEncoder) -> None:
    import zarr

    stored = opened(tmp_path, slide, encoder)
    group = zarr.open_group(stored.path, mode="r+")
    attributes = dict(group.attrs)
    for change, words in (
        ({"layout": LAYOUT + 1}, "newer ScaleScope"),
        ({"layout": LAYOUT - 1}, "early ScaleScope"),
        ({"key": "another"}, "something else"),
    ):
        group.attrs["scalescope"] = {**attributes["scalescope"], **change}
        with pytest.raises(StoreError, match=words):
            opened(tmp_path, slide, encoder)
    del group.attrs["scalescope"]
    with pytest.raises(StoreError, match="not made by ScaleScope"):
        opened(tmp_path, slide, encoder)


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "is full"), (errno.EROFS, "may not be written"), (errno.EIO, "cannot be used")],
)
def test_trouble_with_the_disk_in_words_and_nothing_lost(
    tmp_path: Path,
    slide: Slide,
    encoder: FakeEncoder,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    words: str,
) -> None:
    stored = opened(tmp_path, slide, encoder)
    encode(stored, slide, encoder, TILES[:2])
    with monkeypatch.context() as patch:

        def fail(*_: Any, **__: Any) -> None:
            raise OSError(number, os.strerror(number))

        patch.setattr(np, "savez", fail)
        with pytest.raises(StoreError, match=words):
            encode(stored, slide, encoder, TILES[2:])
    assert not list(tmp_path.rglob("*.partial"))
    assert len(opened(tmp_path, slide, encoder).embeddings()) == 2
    encode(stored, slide, encoder, TILES[2:])
    assert len(stored.embeddings()) == 5


def test_a_root_that_is_a_file(tmp_path: Path, slide: Slide, encoder: FakeEncoder) -> None:
    (tmp_path / "root").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        opened(tmp_path / "root", slide, encoder)


def test_another_process_that_merges_for_long(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    from napari_scalescope.embeddings import locks

    stored = opened(tmp_path, slide, encoder)
    encode(stored, slide, encoder, TILES)
    monkeypatch.setattr(locks, "TIMEOUT_S", 0.1)
    lock = tmp_path / ".locks" / f"{stored.path.parent.name}.{stored.name}.lock"
    with FileLock(lock), pytest.raises(StoreError, match="another process"):
        stored.merge()
    stored.merge()

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from napari_scalescope.analysis import attention_map, attention_span
from napari_scalescope.embeddings import EmbeddingSet


def test_mosaic_at_token_resolution(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray
) -> None:
    emb = make_set(halves, missing=((0, 0),))
    made = attention_map(emb, head=0)
    assert made.values.shape == (48, 80)
    assert made.placement.cell == emb.grid.footprint / 4
    assert np.isnan(made.values[:4, :4]).all()
    # Head 1 gives half of its attention to one of sixteen tokens: 8 times an even share.
    assert made.values[4, 0] == pytest.approx(8.0)
    assert made.values[5, 1] == 0
    assert made.unit == "× uniform"
    x, y = emb.grid.box(1, 0)[:2]
    assert made.at(x + 1, y + 1) == pytest.approx(8.0)
    assert made.at(1, 1) is None
    assert made.at(-5, 0) is None


@pytest.mark.parametrize(("block", "words"), [(-1, "Last block,"), (-2, "Last block but 1,")])
def test_the_legend_names_the_block(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray, block: int, words: str
) -> None:
    emb = replace(make_set(halves), provenance={"encoder": {"attention": block}})
    assert attention_map(emb).legend.startswith(words)


def test_an_encoder_without_attention_shows_the_norm_of_its_features(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray
) -> None:
    made = attention_map(
        replace(make_set(halves), provenance={"encoder": {"attention": "feature norm"}})
    )
    assert made.name == "Feature norm"
    assert "Length of the last features" in made.legend
    assert "CLS" not in made.legend


def test_mean_of_heads_and_single_heads(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray
) -> None:
    emb = make_set(halves)
    mean, first, second = (attention_map(emb, h).values for h in ("mean", 0, 1))
    np.testing.assert_allclose(mean, (first + second) / 2, rtol=1e-3)
    np.testing.assert_allclose(second, 0.8, rtol=1e-3)
    with pytest.raises(IndexError):
        attention_map(emb, 2)


def test_within_the_tile(make_set: Callable[..., EmbeddingSet], halves: np.ndarray) -> None:
    made = attention_map(make_set(halves), 0, normalise="tile")
    assert (made.values.min(), made.values.max()) == (0, 1)
    assert made.limits == (0, 1)
    assert "own smallest" in made.legend


def test_colours_of_the_slide_stay_when_the_view_moves(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray
) -> None:
    emb = make_set(halves)
    # Head 2 looks more from the right than from the left, as attention does on a slide.
    load = emb.load
    assert load is not None

    def uneven(part: str, tiles: np.ndarray) -> np.ndarray:
        return load(part, tiles) * (1 + tiles[:, 1].reshape(-1, 1, 1, 1)).astype(np.float16)

    emb = replace(emb, load=uneven)
    left, right = (np.stack([np.arange(4), np.full(4, col)], 1) for col in (1, 18))
    views = [attention_map(emb, 1, tiles=t) for t in (left, right)]
    assert views[0].limits != views[1].limits
    assert "percentile of what is shown." in views[0].legend
    slide = [attention_map(emb, 1, normalise="slide", tiles=t) for t in (left, right)]
    assert slide[0].limits == slide[1].limits
    assert "of the slide (240 tiles)." in slide[0].legend
    whole = attention_map(emb, 1)
    assert slide[0].limits == pytest.approx(whole.limits, rel=1e-3)
    for shown, same in zip(views, slide, strict=True):
        np.testing.assert_array_equal(shown.values, same.values)
        assert same.unit == "× uniform"
    # What was found before is used as it is.
    span = attention_span(emb, 1)
    known = span._replace(high=99.0)
    assert attention_map(emb, 1, normalise="slide", span=known).limits == (span.low, 99.0)


def test_some_tiles_only(make_set: Callable[..., EmbeddingSet], halves: np.ndarray) -> None:
    emb = make_set(halves)
    made = attention_map(emb, tiles=[[3, 4], [4, 6]])
    assert made.values.shape == (8, 12)
    assert (made.placement.x, made.placement.y) == emb.grid.box(3, 4)[:2]
    assert np.isnan(made.values[:4, 4:]).all()


def test_overlapping_tiles_are_blended(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray
) -> None:
    emb = make_set(halves, stride_px=32)
    made = attention_map(emb, 1)
    assert made.values.shape == (4 + 11 * 2, 4 + 19 * 2)
    np.testing.assert_allclose(made.values, 0.8, rtol=1e-3)
    corners = attention_map(emb, 0).values
    assert corners[0, 0] == pytest.approx(8)
    # Of the four tiles over it only one looks there, and has it in its corner.
    assert corners[2, 2] == pytest.approx(8 / 16)


def test_nothing_kept(make_set: Callable[..., EmbeddingSet], halves: np.ndarray) -> None:
    with pytest.raises(LookupError, match="no attention"):
        attention_map(make_set(halves, parts=False))

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_scalescope.analysis import cluster
from napari_scalescope.analysis import clustering as module
from napari_scalescope.embeddings import EmbeddingSet


@pytest.fixture
def thirds() -> np.ndarray:
    classes = np.zeros((12, 20), int)
    classes[:, 10:] = 1
    classes[:4, 16:] = 2
    return classes


@pytest.mark.parametrize("mini", [False, True])
def test_clusters_are_the_classes(
    make_set: Callable[..., EmbeddingSet],
    thirds: np.ndarray,
    mini: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sklearn.metrics import adjusted_rand_score

    if mini:
        monkeypatch.setattr(module, "MINI_BATCH_FROM", 10)
    emb = make_set(thirds)
    found = cluster(emb, 3)
    truth = thirds[emb.tiles[:, 0], emb.tiles[:, 1]]
    assert adjusted_rand_score(truth, found.labels) == 1.0
    assert found.sizes.tolist() == [120, 104, 16]  # the largest first
    assert found.areas_mm2 == pytest.approx(found.sizes * 0.032**2)
    assert (truth[found.representatives] == [0, 1, 2]).all()
    np.testing.assert_array_equal(cluster(emb, 3).labels, found.labels)


def test_map_and_regions(make_set: Callable[..., EmbeddingSet], thirds: np.ndarray) -> None:
    emb = make_set(thirds, missing=((0, 0),))
    found = cluster(emb, 3)
    made = found.map()
    assert made.kind == "class"
    assert made.values[0, 0] == 0
    assert made.at(10, 10) is None
    assert made.at(200, 200) == 1
    assert [c.name for c in made.classes] == ["Cluster 1", "Cluster 2", "Cluster 3"]
    regions = found.regions()
    assert regions.counts() == {"Cluster 1": 1, "Cluster 2": 1, "Cluster 3": 1}
    area = sum(r.geometry.area for r in regions)
    assert area == pytest.approx(239 * emb.grid.pitch**2)


def test_more_groups_than_tiles_or_than_distinct_tiles(
    make_set: Callable[..., EmbeddingSet], thirds: np.ndarray
) -> None:
    assert cluster(make_set(thirds[:1, :5]), 8).k == 5
    same = make_set(np.zeros((4, 4), int), noise=0.0)
    assert cluster(same, 3).k == 1


def test_equal_tiles_at_the_start_do_not_cost_groups(
    make_set: Callable[..., EmbeddingSet],
) -> None:
    classes = np.repeat([0, 1, 2, 3], 200).reshape(20, 40)
    emb = make_set(classes, noise=0.01)
    emb.vectors[:400] = emb.vectors[0]  # glass, as at the upper edge of most slides
    found = cluster(emb, 3)
    assert found.k == 3
    assert found.sizes.tolist() == [400, 200, 200]


def test_nonsense(make_set: Callable[..., EmbeddingSet], thirds: np.ndarray) -> None:
    for k in (0, 256):
        with pytest.raises(ValueError, match="between 1 and 255"):
            cluster(make_set(thirds), k)
    with pytest.raises(LookupError):
        cluster(make_set(np.zeros((1, 1), int), missing=((0, 0),)), 2)

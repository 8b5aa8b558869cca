"""Clusters of tissue whose classes are known, seen by the built-in encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_scalescope.analysis import cluster, lay_out
from napari_scalescope.embeddings import EmbeddingSet, embed
from napari_scalescope.encoders import load_encoder
from napari_scalescope.geometry import Box
from napari_scalescope.slides.phantom import phantom

#: µm/px at which the truth is asked for.
TRUTH = 4.0


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[EmbeddingSet, np.ndarray]:
    """Tiles of the phantom, and the class that most of each is of."""
    folder: Path = tmp_path_factory.mktemp("store")
    slide = phantom((9000, 9000), seed=2)
    emb = embed(slide, load_encoder("builtin", device="cpu"), mpp=1.0, store=folder)
    classes = [
        np.bincount(slide.truth(Box(*box), TRUTH).ravel()).argmax()
        for box in emb.grid.boxes(emb.tiles)
    ]
    return emb, np.array(classes)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["kmeans", "hdbscan", "leiden"])
def test_clusters_are_classes_far_better_than_by_chance(
    seen: tuple[EmbeddingSet, np.ndarray], method: str
) -> None:
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    emb, truth = seen
    found = cluster(emb, 6, method=method)
    rand = adjusted_rand_score(truth, found.labels)
    mutual = adjusted_mutual_info_score(truth, found.labels)
    print(f"{method}: {len(emb)} tiles, k {found.k}, ARI {rand:.2f}, AMI {mutual:.2f}")
    shuffled = np.random.default_rng(0).permutation(truth)
    assert abs(adjusted_rand_score(shuffled, found.labels)) < 0.1
    assert rand > 0.2
    assert mutual > 0.3


@pytest.mark.slow
def test_new_tiles_land_near_tiles_of_their_class(
    seen: tuple[EmbeddingSet, np.ndarray],
) -> None:
    emb, truth = seen
    new = np.arange(len(emb)) % 5 == 0
    made = lay_out([EmbeddingSet(emb.vectors[~new], emb.tiles[~new], emb.grid, emb.state)])
    xy = made.place(emb.vectors[new])
    nearest = np.linalg.norm(xy[:, None] - made.xy[None], axis=2).argmin(1)
    same = (truth[~new][nearest] == truth[new]).mean()
    chance = ((np.bincount(truth) / len(truth)) ** 2).sum()
    print(f"nearest tile of the same class: {same:.2f}, by chance {chance:.2f}")
    assert same > chance + 0.2

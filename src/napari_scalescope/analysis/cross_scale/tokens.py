"""Patch tokens of one place at two resolutions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ...embeddings.embedding_set import PIECE_BYTES, EmbeddingSet
from ...geometry import FloatArray, IntArray, overlaps
from ..similarity import unit

Vectors = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]


#: The mean token of a set is taken from about so many of its tiles.
SAMPLE = 256


def local_scores(
    coarse: EmbeddingSet, tiles: IntArray, fine: EmbeddingSet, *, centred: bool
) -> tuple[Scores, Scores]:
    """Cosine of coarse tokens with the fine tiles they lie over: see `cross_scale_agreement`.

    Parameters
    ----------
    coarse, fine : EmbeddingSet
        With patch tokens, or for ``fine`` see `mean_tokens`.
    tiles : (n, 2) int
        Coarse tiles that have patch tokens.
    centred : bool
        Take each resolution's mean token off first.

    Returns
    -------
    scores : (n,) float32
        NaN where nothing is encoded under the tile.
    cover : (n,) float32
        Share of each tile's footprint that could be compared.
    """
    means, table = mean_tokens(fine)
    usual: Vectors = np.zeros(means.shape[1], np.float32)
    if centred and len(tiles):
        means = means - means.mean(0)
        some = tiles[:: max(1, len(tiles) // SAMPLE)]
        pieces = coarse.pieces("patch_tokens", some)
        usual = np.concatenate([p.mean((1, 2)) for p in pieces]).mean(0)
    down, across = overlaps(coarse.grid, fine.grid)
    scores, cover = np.full(len(tiles), np.nan, np.float32), np.zeros(len(tiles), np.float32)
    start = 0
    for tokens in coarse.pieces("patch_tokens", tiles) if len(tiles) else ():
        part = slice(start, start + len(tokens))
        rows, cols = tiles[part].T
        m, g, _, d = tokens.shape
        # What a fine tile covers of the lattice is a product of what it covers along both axes.
        wr, wc = (
            o.cells(g, 1, at)[..., 0].swapaxes(1, 2).astype(np.float32)
            for o, at in ((down, rows), (across, cols))
        )
        sums = (wr @ (tokens - usual).reshape(m, g, g * d)).reshape(m, -1, g, d)
        sums = wc[:, None] @ sums
        r, c = down.tiles[rows][:, :, None], across.tiles[cols][:, None, :]
        index = np.where((r >= 0) & (c >= 0), table[r, c], -1)
        there = index >= 0
        cosines = (unit(sums) * unit(means[index])).sum(-1)
        area = wr.sum(2)[:, :, None] * wc.sum(2)[:, None, :] * there
        total = area.sum((1, 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            scores[part] = (cosines * area).sum((1, 2)) / total
        cover[part] = total / coarse.grid.footprint**2
        start += m
    return scores, cover


def mean_tokens(emb: EmbeddingSet) -> tuple[Vectors, IntArray]:
    """The mean patch token of each tile, and which row of them belongs to which tile.

    Of tiles whose patch tokens were not kept it is taken from the embedding, where that holds the
    mean of the last block's tokens (``embedding`` "mean", or the second half of "cls+mean").
    Tiles of other encoders without patch tokens have none and are left out.

    Returns
    -------
    means : (m, d) float32
    table : (rows, cols) int64
        -1 for tiles that have none.

    Raises
    ------
    LookupError
        If no tile has one.
    """
    table = np.full(emb.grid.shape, -1, np.int64)
    having = emb.having("patch_tokens") if emb.load is not None else np.empty((0, 2), np.int64)
    found: list[Vectors] = []
    if len(having):
        found += [p.mean((1, 2)) for p in emb.pieces("patch_tokens", having)]
        table[having[:, 0], having[:, 1]] = np.arange(len(having))
    if held_in_vectors(emb):
        rest = table[emb.tiles[:, 0], emb.tiles[:, 1]] < 0
        width = found[0].shape[1] if found else _width(emb)
        tiles = emb.tiles[rest]
        table[tiles[:, 0], tiles[:, 1]] = len(having) + np.arange(len(tiles))
        found.append(emb.vectors[rest][:, -width:])
    if not found:
        raise LookupError("no patch tokens were kept at the finer resolution")
    return np.concatenate(found), table


def held_in_vectors(emb: EmbeddingSet) -> bool:
    """Whether the embedding holds the mean of the patch tokens as they are kept."""
    encoder = emb.provenance.get("encoder", {})
    last = encoder.get("embedding_blocks", {}).get("mean") == -1
    return last and encoder.get("embedding") in ("mean", "cls+mean")


def _width(emb: EmbeddingSet) -> int:
    both = emb.provenance["encoder"]["embedding"] == "cls+mean"
    return emb.dim // 2 if both else emb.dim


def on_one_lattice(
    coarse: EmbeddingSet, tiles: IntArray, fine: EmbeddingSet
) -> Iterator[tuple[Vectors, Vectors, npt.NDArray[np.bool_], Scores]]:
    """Tokens of coarse tiles, and the fine tokens under them pooled to the same lattice.

    A fine token counts in each coarse one by the area both have in common.

    Yields, for some of the tiles at a time
    ---------------------------------------
    coarse : (m, g * g, d) float32
    pooled : (m, g * g, d') float32
    known : (m, g * g) bool
        Where at least half of a coarse token's footprint is encoded in the fine set.
    cover : (m,) float32
        Share of each tile's footprint that is encoded in the fine set.

    Raises
    ------
    LookupError
        If there are no patch tokens at one of the resolutions.
    """
    if not len(fine.having("patch_tokens")):
        raise LookupError("no patch tokens were kept at the finer resolution")
    kept = np.zeros(fine.grid.shape, bool)
    kept[tuple(fine.having("patch_tokens").T)] = True
    down, across = overlaps(coarse.grid, fine.grid)
    h, depth = fine.part("patch_tokens", fine.having("patch_tokens")[:1]).shape[2:]
    per_tile = 4 * h * h * depth * down.tiles.shape[1] * across.tiles.shape[1]
    step = max(1, PIECE_BYTES // per_tile)
    for start in range(0, len(tiles), step):
        some = tiles[start : start + step]
        tokens = coarse.part("patch_tokens", some).astype(np.float32)
        g = tokens.shape[1]
        rows, cols = some.T
        r, c = down.tiles[rows][:, :, None], across.tiles[cols][:, None, :]
        there = (r >= 0) & (c >= 0) & kept[r, c]
        wr, wc = (o.cells(g, h, at).astype(np.float32) for o, at in ((down, rows), (across, cols)))
        m, a, b = there.shape
        below = _gathered(fine, r, c, there, (h, depth)).reshape(m, a * h, b * h * depth)
        sums = (wr.reshape(m, g, a * h) @ below).reshape(m, g, b * h, depth)
        sums = wc.reshape(m, 1, g, b * h) @ sums
        area = wr.sum(-1) @ there.astype(np.float32) @ wc.sum(-1).swapaxes(1, 2)
        cell = np.float32((coarse.grid.footprint / g) ** 2)
        pooled = sums / np.maximum(area, 1e-6)[..., None]
        flat = (len(some), g * g)
        yield (
            tokens.reshape(*flat, -1),
            pooled.reshape(*flat, -1),
            (area >= cell / 2).reshape(flat),
            area.sum((1, 2)) / (cell * g * g),
        )


def _gathered(
    fine: EmbeddingSet,
    r: IntArray,
    c: IntArray,
    there: npt.NDArray[np.bool_],
    shape: tuple[int, int],
) -> Vectors:
    """Tokens (m, a, h, b, h, d) of fine tiles side by side, each read once, 0 where none are."""
    h, depth = shape
    m, a, b = there.shape
    out = np.zeros((m, a, h, b, h, depth), np.float32)
    wanted = np.stack(np.broadcast_arrays(r, c), -1)[there]
    if len(wanted):
        unique, inverse = np.unique(wanted, axis=0, return_inverse=True)
        read = fine.part("patch_tokens", unique)
        out.swapaxes(2, 3)[there] = read[inverse.ravel()]
    return out


def token_cka(x: Vectors, y: Vectors, known: npt.NDArray[np.bool_]) -> Scores:
    """Linear CKA between the tokens of tiles in two spaces.

    Centred kernel alignment of Kornblith et al. 2019 (arXiv:1905.00414) with a linear kernel:
    ``HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L))`` of the matrices ``K = X X'`` and ``L = Y Y'``.
    HSIC is estimated without bias (Song et al. 2012, JMLR 13), as Nguyen et al. 2021
    (arXiv:2010.15327) do: a tile has no more tokens than a token has numbers, and the plain
    estimate would find two thirds of agreement between noise and noise.

    Parameters
    ----------
    x : (m, n, d) float32
    y : (m, n, d') float32
    known : (m, n) bool
        Which tokens count.

    Returns
    -------
    (m,) float32
        1 for the same up to rotation, scale and shift; about 0, and little below, for unrelated
        ones. NaN with fewer than 4 tokens or where all are one.
    """
    k, m = (_products(v - _mean(v, known), known) for v in (x, y))
    n = known.sum(1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.sqrt(_hsic(k, k, n) * _hsic(m, m, n))
        out = np.where((n >= 4) & (scale > 1e-12), _hsic(k, m, n) / scale, np.nan)
    return out.astype(np.float32)


def token_frobenius(x: Vectors, y: Vectors, known: npt.NDArray[np.bool_]) -> Scores:
    """1 less the root mean square difference of the cosines between tokens, in two spaces.

    The distance that Gram anchoring of DINOv3 (Siméoni et al. 2025, arXiv:2508.10104) holds down
    during training, ``||X X' - Y Y'||_F`` with tokens of length 1, per pair of tokens.

    Parameters and shapes are those of `token_cka`.

    Returns
    -------
    (m,) float32
        1 where all pairs of tokens are as alike in both, NaN with fewer than 2 tokens.
    """
    difference = _products(unit(x), known) - _products(unit(y), known)
    n = known.sum(1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (difference**2).sum((1, 2), dtype=np.float64) / (n * (n - 1))
    return np.where(n >= 2, 1 - np.sqrt(mean), np.nan).astype(np.float32)


def _mean(v: Vectors, known: npt.NDArray[np.bool_]) -> Vectors:
    count = np.maximum(known.sum(1), 1)[:, None, None]
    return np.asarray((v * known[..., None]).sum(1, keepdims=True) / count, np.float32)


def _products(v: Vectors, known: npt.NDArray[np.bool_]) -> Vectors:
    """Products (m, n, n) of the known tokens with each other, 0 on the diagonal."""
    v = v * known[..., None]
    out = v @ v.swapaxes(1, 2)
    diagonal = np.arange(out.shape[1])
    out[:, diagonal, diagonal] = 0
    return np.asarray(out, np.float32)


def _hsic(k: Vectors, m: Vectors, n: FloatArray) -> FloatArray:
    """The unbiased estimate, of matrices with 0 on the diagonal."""
    a, b = (v.sum(2, dtype=np.float64) for v in (k, m))
    trace = (k * m).sum((1, 2), dtype=np.float64)
    both = a.sum(1) * b.sum(1) / ((n - 1) * (n - 2))
    rows = (a * b).sum(1) * 2 / (n - 2)
    return np.asarray((trace + both - rows) / (n * (n - 3)), np.float64)

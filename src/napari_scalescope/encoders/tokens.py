"""Tokens and attention of a vision transformer, taken from the forward pass that runs anyway.

timm computes attention inside one fused kernel, so the attention matrix is never there to be
read. But every attention module of timm calls ``q_norm`` and ``k_norm`` (identities where the
architecture has no such norm) on the queries and keys after they are split into heads. A hook
there takes both, and what is wanted is computed again from them: mostly one row, from CLS to all
tokens, a product of 1 by N per head, which costs next to nothing while the fused kernel stays on.
"""

from __future__ import annotations

from collections.abc import Collection
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..errors import EncoderError

if TYPE_CHECKING:
    import torch


#: The last block, counted as all are: from the end.
LAST = -1

#: What a map of where an encoder looks is made of: the attention of one block, negative from the
#: end; attention rolled out through all blocks; or the length of each place's features.
AttentionSource: TypeAlias = int | Literal["rollout", "feature norm"]


class Tap:
    """Catches what passes through the blocks of a forward pass. A context manager.

    Parameters
    ----------
    model : timm VisionTransformer or Eva
    attention : collection of int
        Blocks whose queries and keys are wanted, negative from the end.
    outputs : collection of int
        Blocks whose tokens are wanted.

    Raises
    ------
    EncoderError
        If a block has no attention that can be told apart from the rest of it.
    """

    def __init__(
        self, model: Any, attention: Collection[int] = (), outputs: Collection[int] = ()
    ) -> None:
        self._model = model
        self._modules = {block: self._attention_of(block) for block in sorted({*attention})}
        self._blocks = {block: model.blocks[block] for block in {*outputs}}
        self._hooks: list[Any] = []
        self._caught: dict[tuple[int, str], Any] = {}

    def _attention_of(self, block: int) -> Any:
        attention = getattr(self._model.blocks[block], "attn", None)
        if attention is None or not hasattr(attention, "q_norm"):
            raise EncoderError(
                f"{type(self._model.blocks[block]).__name__} has no separate attention to show.",
                "Use another map for this encoder.",
            )
        return attention

    def __enter__(self) -> Tap:
        caught = self._caught

        def keep(block: int, name: str) -> Any:
            def hook(_module: Any, _args: Any, out: Any) -> None:
                caught[block, name] = out

            return hook

        def keep_rope(block: int, attention: Any) -> Any:
            takes_rope = hasattr(attention, "rotate_half")

            def hook(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
                second = args[1] if takes_rope and len(args) > 1 else None
                caught[block, "rope"] = kwargs.get("rope", second)

            return hook

        for block, attention in self._modules.items():
            self._hooks += [
                attention.register_forward_pre_hook(keep_rope(block, attention), with_kwargs=True),
                attention.q_norm.register_forward_hook(keep(block, "q")),
                attention.k_norm.register_forward_hook(keep(block, "k")),
            ]
        self._hooks += [
            block.register_forward_hook(keep(n, "out")) for n, block in self._blocks.items()
        ]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def output(self, block: int) -> torch.Tensor:
        """All tokens as they left a block: (n, prefix + patches, token_dim)."""
        out: torch.Tensor = self._caught[block, "out"]
        return out

    def cls_row(self, block: int) -> torch.Tensor:
        """Softmax attention from CLS to every token: (n, heads, tokens) float32."""
        # CLS has no place and is not rotated.
        row = self._weights(block, self._caught[block, "q"][:, :, :1])
        return row[:, :, 0]

    def matrix(self, block: int) -> torch.Tensor:
        """Softmax attention from every token to every token: (n, heads, tokens, tokens)."""
        return self._weights(block, self._rotated(block, self._caught[block, "q"]))

    def rollout(self) -> torch.Tensor:
        """Attention from CLS to every token through all tapped blocks: (n, tokens) float32.

        Attention rollout (Abnar & Zuidema 2020): in each block half of a token is itself and half
        is what it attends to, mean of heads; the blocks are multiplied. CLS's row of the product
        is computed from the last block backwards, a vector at a time.
        """
        blocks = sorted(self._modules, reverse=True)
        q = self._caught[blocks[0], "q"]
        share = q.new_zeros((q.shape[0], 1, q.shape[2])).float()
        share[:, :, 0] = 1
        for block in blocks:
            share = (share + share @ self.matrix(block).mean(1)) / 2
        return share[:, 0]

    def _weights(self, block: int, q: torch.Tensor) -> torch.Tensor:
        attention = self._modules[block]
        k = self._rotated(block, self._caught[block, "k"])
        groups = getattr(attention, "num_kv_groups", 1)
        if groups > 1:
            k = k.repeat_interleave(groups, dim=1)
        scaled = q.float() * attention.scale
        return (scaled @ k.float().transpose(-2, -1)).softmax(-1)

    def _rotated(self, block: int, x: torch.Tensor) -> torch.Tensor:
        """Queries or keys as they are compared, with their places in them where those rotate."""
        rope = self._caught.get((block, "rope"))
        if rope is None:
            return x
        import torch
        from timm.layers import apply_rot_embed_cat

        prefix = self._model.num_prefix_tokens
        half = getattr(self._modules[block], "rotate_half", False)
        rotated = apply_rot_embed_cat(x[:, :, prefix:], rope, half=half)
        return torch.cat([x[:, :, :prefix], rotated.type_as(x)], dim=2)


def tapped_blocks(model: Any, source: AttentionSource) -> tuple[int, ...]:
    """The blocks whose queries and keys a source of attention needs.

    Raises
    ------
    EncoderError
        If the model has no such block.
    """
    depth = len(model.blocks)
    if source == "feature norm":
        return ()
    if source == "rollout":
        return tuple(range(-depth, 0))
    if not -depth <= source < 0:
        raise EncoderError(
            f"The encoder has {depth} blocks, counted from -1, the last, to -{depth}; "
            f"there is no block {source}.",
            "Choose one of those.",
        )
    return (source,)


def forward_map(model: Any, x: torch.Tensor) -> torch.Tensor:
    """The last features of a network without a class token: (n, h, w, token_dim)."""
    out: torch.Tensor = model.forward_features(x)
    return out if getattr(model, "output_fmt", "NCHW") == "NHWC" else out.permute(0, 2, 3, 1)


def feature_norm(features: torch.Tensor) -> torch.Tensor:
    """Length of each place's features, as shares of the tile's: (n, h, w, d) to (n, 1, h, w).

    What a network without attention has to show in its place: where it found much of anything. In
    a vision transformer without registers a few patch tokens of plain background are far longer
    than the rest: there it keeps what it knows of the whole tile (Darcet et al. 2024).
    """
    norm = features.float().norm(dim=-1)
    return (norm / norm.sum((1, 2), keepdim=True).clamp_min(1e-12))[:, None]

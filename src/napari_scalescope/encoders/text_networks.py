"""Text towers as networks. Needs torch.

Each takes texts as lists of token numbers, of any lengths, and gives a vector for each. What a
library has is taken from it: CLIP's and CoCa's towers from open_clip, BERT from transformers, the
blocks of BEiT-3 from timm. Tensors are called as `text_layouts` calls them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .text_spec import TextSpec

#: Width of the MLPs, in widths of the transformer, of every tower there is.
MLP_RATIO = 4
#: The number that stands for no token.
PAD = 0
#: BEiT-3 counts places from 2, as fairseq does.
FIRST_PLACE = 2
#: Rows of the embeddings of places. Texts are cut long before (`TextSpec.context`).
BERT_PLACES, BEIT3_PLACES = 512, 1024

Tokens = Sequence[Sequence[int]]


def network_of(spec: TextSpec, arch: str) -> nn.Module:
    """A tower, with numbers of no meaning in it.

    Parameters
    ----------
    spec : TextSpec
    arch : str
        timm's name of the image tower, whose blocks BEiT-3's language branch has.
    """
    if spec.kind == "bert":
        return Bert(spec)
    if spec.kind == "beit3":
        return Beit3(spec, arch)
    return OpenClip(spec)


class OpenClip(nn.Module):  # type: ignore[misc]  # mypy does not read torch
    """The tower of CLIP, or of CoCa, which CONCH's is."""

    def __init__(self, spec: TextSpec) -> None:
        from open_clip.transformer import QuickGELU, TextTransformer

        super().__init__()
        is_coca = spec.kind == "coca"
        # A class token takes one place more, which open_clip adds by itself.
        self.context = spec.context - is_coca
        self.text = TextTransformer(
            context_length=self.context,
            vocab_size=spec.vocabulary,
            width=spec.width,
            heads=spec.heads,
            layers=spec.layers,
            mlp_ratio=MLP_RATIO,
            output_dim=spec.dim,
            embed_cls=is_coca,
            pad_id=PAD,
            act_layer=QuickGELU if spec.activation == "quick_gelu" else nn.GELU,
        )

    def forward(self, tokens: Tokens) -> Tensor:
        """Texts to (m, dim)."""
        # CLIP's tower never looks at what comes after the end. CoCa's does look at the place just
        # after it, as it was trained to: texts are filled up as they were then.
        padded = torch.full((len(tokens), self.context), PAD)
        for row, text in zip(padded, tokens, strict=True):
            row[: len(text)] = torch.tensor(text)
        out: Tensor = self.text(padded)
        return out


class Bert(nn.Module):  # type: ignore[misc]
    """BERT, and an MLP where it is not as wide as the shared space."""

    def __init__(self, spec: TextSpec) -> None:
        from transformers import BertConfig, BertModel

        super().__init__()
        config = BertConfig(
            vocab_size=spec.vocabulary,
            hidden_size=spec.width,
            num_hidden_layers=spec.layers,
            num_attention_heads=spec.heads,
            intermediate_size=MLP_RATIO * spec.width,
            hidden_act=spec.activation,
            max_position_embeddings=BERT_PLACES,
            type_vocab_size=2,
            layer_norm_eps=1e-12,
        )
        self.pooled = spec.pool == "pooler"
        self.transformer = BertModel(config, add_pooling_layer=self.pooled)
        self.proj: nn.Module = nn.Identity()
        if spec.head == "mlp":
            between = (spec.width + spec.dim) // 2
            self.proj = nn.Sequential(
                nn.Linear(spec.width, between, bias=False),
                nn.GELU(),
                nn.Linear(between, spec.dim, bias=False),
            )

    def forward(self, tokens: Tokens) -> Tensor:
        """Texts to (m, dim)."""
        return torch.cat([self._one(torch.tensor([text])) for text in tokens])

    def _one(self, text: Tensor) -> Tensor:
        """Texts go one by one: nothing is filled up, so nothing has to be masked."""
        out: Any = self.transformer(input_ids=text, attention_mask=torch.ones_like(text))
        token = out.pooler_output if self.pooled else out.last_hidden_state[:, 0]
        projected: Tensor = self.proj(token)
        return projected


class Beit3(nn.Module):  # type: ignore[misc]
    """The language branch of BEiT-3 (MUSK): the image tower's make of blocks, other numbers."""

    def __init__(self, spec: TextSpec, arch: str) -> None:
        import timm

        super().__init__()
        trunk = timm.create_model(
            arch,
            pretrained=False,
            num_classes=0,
            global_pool="token",
            embed_dim=spec.width,
            depth=spec.layers,
            num_heads=spec.heads,
            mlp_ratio=MLP_RATIO,
        )
        self.embed = nn.Embedding(spec.vocabulary, spec.width)
        self.positions = nn.Embedding(BEIT3_PLACES, spec.width)
        self.blocks, self.norm = trunk.blocks, trunk.norm
        self.head = nn.Linear(spec.width, spec.dim, bias=False)

    def forward(self, tokens: Tokens) -> Tensor:
        """Texts to (m, dim)."""
        return torch.cat([self._one(torch.tensor([text])) for text in tokens])

    def _one(self, text: Tensor) -> Tensor:
        """Texts go one by one: nothing is filled up, so nothing has to be masked."""
        places = torch.arange(FIRST_PLACE, FIRST_PLACE + text.shape[1])
        x = self.blocks(self.embed(text) + self.positions(places))
        out: Tensor = self.head(self.norm(x)[:, 0])
        return out

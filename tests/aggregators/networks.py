"""The heads as torch modules, with the tensor names of their makers' files: the other side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

D, F, H = 24, 16, 8  # vectors, features, hidden units


@dataclass
class Said:
    """What a head says of a bag: raw attention (n, branches), class scores, tile scores."""

    attention: Tensor
    scores: Tensor | None = None
    tiles: Tensor | None = None


class Attention(nn.Module):
    """CLAM's attention net; with dropout the last layer of the ungated one is number 3."""

    def __init__(self, gated: bool, branches: int, dropout: bool, width: int = F) -> None:
        super().__init__()
        drop = [nn.Dropout(0.25)] if dropout else []
        if gated:
            self.attention_a = nn.Sequential(nn.Linear(width, H), nn.Tanh(), *drop)
            self.attention_b = nn.Sequential(nn.Linear(width, H), nn.Sigmoid(), *drop)
            self.attention_c = nn.Linear(H, branches)
        else:
            self.module = nn.Sequential(
                nn.Linear(width, H), nn.Tanh(), *drop, nn.Linear(H, branches)
            )

    def forward(self, x: Tensor) -> Tensor:
        if hasattr(self, "module"):
            return self.module(x)
        return self.attention_c(self.attention_a(x) * self.attention_b(x))


class Clam(nn.Module):
    def __init__(self, gated: bool, classes: int, several: bool, dropout: bool) -> None:
        super().__init__()
        drop = [nn.Dropout(0.25)] if dropout else []
        net = Attention(gated, classes if several else 1, dropout)
        self.attention_net = nn.Sequential(nn.Linear(D, F), nn.ReLU(), *drop, net)
        each = [nn.Linear(F, 1) for _ in range(classes)]
        self.classifiers = nn.ModuleList(each) if several else nn.Linear(F, classes)
        self.instance_classifiers = nn.ModuleList(nn.Linear(F, 2) for _ in range(classes))

    def forward(self, x: Tensor) -> Said:
        features = self.attention_net[:2](x)
        raw = self.attention_net[-1](features)
        means = raw.softmax(0).T @ features
        if isinstance(self.classifiers, nn.ModuleList):
            scores = torch.cat([c(m) for c, m in zip(self.classifiers, means, strict=True)])
        else:
            scores = self.classifiers(means)[0]
        pairs = [c(features) for c in self.instance_classifiers]
        return Said(raw, scores, torch.stack([p[:, 1] - p[:, 0] for p in pairs], 1))


class MilLab(nn.Module):
    """ABMIL of MIL-Lab, which FEATHER is."""

    def __init__(self, gated: bool, layers: int, heads: int, classes: int) -> None:
        super().__init__()
        wide = [D] + [F] * layers
        self.patch_embed = nn.Sequential(
            *(
                step
                for a, b in pairwise(wide)
                for step in (nn.Linear(a, b), nn.ReLU(), nn.Dropout(0.25))
            )
        )
        self.global_attn = Attention(gated, heads, dropout=True)
        if classes:
            self.classifier = nn.Linear(F * heads, classes)

    def forward(self, x: Tensor) -> Said:
        features = self.patch_embed(x)
        raw = self.global_attn(features)
        means = raw.softmax(0).T @ features
        return Said(raw, self.classifier(means.flatten()) if hasattr(self, "classifier") else None)


class Trident(nn.Module):
    """TRIDENT's ABMIL with the classification head Patho-Bench puts on it."""

    def __init__(self, gated: bool, heads: int, branches: int, classes: int) -> None:
        super().__init__()
        self.pre_attention_layers = nn.Sequential(nn.Linear(D, D), nn.GELU(), nn.Dropout(0.1))
        self.post_attention_layers = nn.Sequential(nn.Linear(D, D), nn.GELU(), nn.Dropout(0.1))
        pooler = self.image_pooler = nn.Module()

        def layers(*after: nn.Module) -> nn.ModuleList:
            return nn.ModuleList(nn.Sequential(nn.Linear(D, H), *after) for _ in range(heads))

        pooler.attention_heads = layers(nn.Tanh(), nn.Dropout(0.1))
        if gated:
            pooler.gating_layers = layers(nn.Sigmoid(), nn.Dropout(0.1))
        pooler.branching_layers = nn.ModuleList(nn.Linear(H, branches) for _ in range(heads))
        if heads > 1:
            pooler.condensing_layer = nn.Linear(heads * D, D)
        if classes:
            self.classification_head = nn.Linear(D, classes)

    def forward(self, x: Tensor) -> Said:
        x = self.pre_attention_layers(x)
        pooler, raws = self.image_pooler, []
        for i, attention in enumerate(pooler.attention_heads):
            hidden = attention(x)
            if hasattr(pooler, "gating_layers"):
                hidden = hidden * pooler.gating_layers[i](x)
            raws.append(pooler.branching_layers[i](hidden))  # (n, branches)
        scores = None
        if hasattr(self, "classification_head"):
            mean = torch.cat([raw.softmax(0).T @ x for raw in raws], -1)
            if hasattr(pooler, "condensing_layer"):
                mean = pooler.condensing_layer(mean)
            scores = self.classification_head(self.post_attention_layers(mean))[0]
        return Said(torch.stack(raws, -1).flatten(1), scores)


class Madeleine(nn.Module):
    def __init__(self, heads: int) -> None:
        super().__init__()
        self.wsi_embedders = nn.Module()
        wide = [D, F, F, F * heads]
        self.wsi_embedders.pre_attn = nn.Sequential(
            *(
                step
                for a, b in pairwise(wide)
                for step in (nn.Linear(a, b), nn.LayerNorm(b), nn.GELU(), nn.Dropout(0.1))
            )
        )
        self.wsi_embedders.attn = nn.ModuleList(Attention(True, 1, True) for _ in range(heads))
        self.projector = nn.Linear(F * heads, F)
        self.token_projector = nn.Linear(F * heads, 8)

    def forward(self, x: Tensor) -> Said:
        heads = self.wsi_embedders.attn
        features = self.wsi_embedders.pre_attn(x).reshape(len(x), -1, len(heads))
        return Said(torch.cat([net(features[..., i]) for i, net in enumerate(heads)], 1))


class Ilse(nn.Module):
    """Gated attention as its authors name the layers, and as AEM does."""

    def __init__(self, reduced: bool, branches: int) -> None:
        super().__init__()
        width = F if reduced else D
        net = nn.Module() if reduced else self
        net.attention_V = nn.Sequential(nn.Linear(width, H), nn.Tanh())
        net.attention_U = nn.Sequential(nn.Linear(width, H), nn.Sigmoid())
        if reduced:
            self.dimreduction = nn.Module()
            self.dimreduction.fc1 = nn.Linear(D, F, bias=False)
            net.attention_weights = nn.Linear(H, branches)
            self.attention = net
            self.classifier = nn.Module()
            self.classifier.fc = nn.Linear(F * branches, 3)
        else:
            net.attention_w = nn.Linear(H, branches)
            self.classifier = nn.Sequential(nn.Linear(D * branches, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Said:
        net, last = self, "attention_w"
        if hasattr(self, "dimreduction"):
            x = functional.relu(self.dimreduction.fc1(x))
            net, last = self.attention, "attention_weights"
        raw = getattr(net, last)(net.attention_V(x) * net.attention_U(x))
        means = (raw.softmax(0).T @ x).flatten()
        classifier = self.classifier[0] if net is self else self.classifier.fc
        return Said(raw, classifier(means))


class Dsmil(nn.Module):
    def __init__(self, classes: int, deep: bool, value: bool, sequential: bool) -> None:
        super().__init__()
        self.i_classifier, bag = nn.Module(), nn.Module()
        fc = nn.Linear(D, classes)
        self.i_classifier.fc = nn.Sequential(fc) if sequential else fc
        q = 128
        bag.q = (
            nn.Sequential(nn.Linear(D, q), nn.ReLU(), nn.Linear(q, q), nn.Tanh())
            if deep
            else nn.Linear(D, q)
        )
        behind = [nn.ReLU()] if deep else []
        drop = nn.Dropout(0.2)
        bag.v = nn.Sequential(drop, nn.Linear(D, D), *behind) if value else nn.Identity()
        bag.fcc = nn.Conv1d(classes, classes, kernel_size=D)
        self.b_classifier = bag

    def forward(self, x: Tensor) -> Said:
        tiles, bag = self.i_classifier.fc(x), self.b_classifier
        order = tiles.sort(0, descending=True).indices
        raw = bag.q(x) @ bag.q(x[order[0]]).T / 128**0.5
        means = raw.softmax(0).T @ bag.v(x)
        return Said(raw, bag.fcc(means[None]).flatten(), tiles)


def networks() -> Iterable[tuple[str, nn.Module]]:
    """Every layout in its variants, with words for it."""
    for gated in (True, False):
        gate = "gated" if gated else "ungated"
        for dropout in (True, False):
            drop = ", dropout" if dropout else ""
            yield f"CLAM-SB {gate}{drop}", Clam(gated, 3, several=False, dropout=dropout)
            yield f"CLAM-MB {gate}{drop}", Clam(gated, 3, several=True, dropout=dropout)
        yield f"MIL-Lab {gate}", MilLab(gated, 1, 1, 4)
        yield f"MIL-Lab {gate}, 2 layers, 3 heads", MilLab(gated, 2, 3, 4)
        yield f"MIL-Lab {gate}, no classes", MilLab(gated, 1, 1, 0)
        yield f"TRIDENT {gate}", Trident(gated, 1, 1, 2)
        yield f"TRIDENT {gate}, 3 heads", Trident(gated, 3, 1, 2)
        yield f"TRIDENT {gate}, 2 heads, 3 branches", Trident(gated, 2, 3, 0)
    yield "MADELEINE", Madeleine(4)
    yield "AEM", Ilse(reduced=True, branches=1)
    yield "AttentionDeepMIL", Ilse(reduced=False, branches=2)
    for deep in (True, False):
        for value in (True, False):
            words = f"DSMIL {'deep' if deep else 'flat'}{', value' if value else ''}"
            yield words, Dsmil(2, deep, value, sequential=deep)

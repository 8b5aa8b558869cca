"""Heads from files: which layout a file has is told from the names of its tensors.

What is known of the layouts, from their makers' own code:

=============  ==========================================================================
CLAM           mahmoodlab/CLAM: Linear and ReLU, one attention (SB) or one per class (MB),
               bag classifiers, instance classifiers
MIL-Lab        mahmoodlab/MIL-Lab, FEATHER: one or more Linear and ReLU, one or more heads
TRIDENT        mahmoodlab/TRIDENT, Patho-Bench: Linear and GELU, heads with weights of their own,
               a layer that brings them together, Linear and GELU, a classification head
MADELEINE      mahmoodlab/MADELEINE: three times Linear, LayerNorm and GELU, of which each head
               has every n-th feature; then embeddings, not classes
AEM            dazhangyu123/AEM and others with a ``dimreduction``: Linear without bias and ReLU;
               without it AMLab-Amsterdam/AttentionDeepMIL, whose vectors are scored as they are
DSMIL          binli123/dsmil-wsi
=============  ==========================================================================

Activations and dropout hold no numbers. Which activation follows is a fact of the layout; dropout
only moves the numbers of the layers behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..encoders.weights import read_state
from ..errors import EncoderError
from .aggregator import Array
from .attention_pooling import AttentionPooling, Scorer
from .dual_stream import DualStream
from .steps import LayerNorm, Linear, Step, gelu, relu, tanh

#: What wraps a head when it is trained on several GPUs or as a part of something larger.
WRAPPERS = re.compile(r"^(?:(?:module|model|slide_encoder)\.)+")
#: Numbers of CLAM's loss, which are saved with it and have no part in what it says.
LOSS = re.compile(r"^instance_loss_fn\.")


def read_aggregator(path: str | Path) -> AttentionPooling | DualStream:
    """A head from a file of its makers: CLAM, MIL-Lab, TRIDENT, MADELEINE, AEM or DSMIL.

    Parameters
    ----------
    path : path
        ``.safetensors``, or what ``torch.save`` wrote of tensors. Never runs code from the file.

    Raises
    ------
    EncoderError
        If the file is damaged or holds more than numbers, if it is of no layout known here, or if
        it has tensors that its layout does not use: it is read whole or not at all.
    """
    path = Path(path)
    state = {name: tensor.detach().float().numpy() for name, tensor in read_state(path).items()}
    return aggregator_of(state, path.name)


def aggregator_of(
    state: Mapping[str, npt.NDArray[Any]], source: str
) -> AttentionPooling | DualStream:
    """The head that tensors are of.

    Parameters
    ----------
    state : mapping of str to array
        Tensors by the names their makers gave them.
    source : str
        Where they are from, for the name of the head and for errors.

    Raises
    ------
    EncoderError
        As `read_aggregator`.
    """
    tensors = _Tensors(state, source)
    fitting = (m for m in LAYOUTS if any(name.startswith(m) for name in tensors.left))
    mark = next(fitting, None)
    if mark is None:
        raise EncoderError(
            f"{source} holds no attention head of a kind that is known here "
            f"(its tensors: {_some(tensors.left)}).",
            "Choose a head of CLAM, MIL-Lab, TRIDENT, MADELEINE, AEM or DSMIL.",
        )
    head = LAYOUTS[mark](tensors)
    if tensors.left:
        raise EncoderError(
            f"{source} looks like {head.name} but has tensors that has no place for: "
            f"{_some(tensors.left)}.",
            "Choose the file of the head alone.",
        )
    try:
        # One look at nothing finds what does not fit together before a slide is encoded for it.
        nothing = np.zeros((2, head.dim), np.float32)
        head.attention(nothing)
        head.scores(nothing)
    except ValueError as error:
        raise EncoderError(
            f"The layers of {source} do not fit each other ({error}).", "Download it again."
        ) from error
    return head


class _Tensors:
    """Tensors of a file, from which layers are taken until none is left."""

    def __init__(self, state: Mapping[str, npt.NDArray[Any]], source: str) -> None:
        self.source = source
        self.left: dict[str, Array] = {}
        for name, tensor in state.items():
            # DataParallel around the attention net alone is how CLAM's own checkpoints are saved.
            plain = WRAPPERS.sub("", name).replace("attention_net.module.", "attention_net.", 1)
            if plain in self.left:
                raise EncoderError(f"{source} has {plain} twice.", "Choose the file of one head.")
            if not LOSS.match(plain):
                self.left[plain] = np.asarray(tensor, np.float32)

    def __contains__(self, layer: str) -> bool:
        return f"{layer}.weight" in self.left

    def take(self, name: str) -> Array:
        """A tensor, which is used up by it."""
        if name not in self.left:
            raise EncoderError(f"{self.source} lacks {name}.", "Download it again.")
        return self.left.pop(name)

    def linear(self, layer: str, *, bias: bool = True) -> Linear:
        """A layer by its name. A kernel as long as its input is a row of a matrix."""
        weight = self.take(f"{layer}.weight")
        weight = weight.reshape(len(weight), -1)
        none = np.zeros(len(weight), np.float32)
        return Linear(weight, self.take(f"{layer}.bias") if bias else none)

    def numbers(self, before: str) -> list[int]:
        """The numbers of the layers in a list, in order."""
        found = (re.match(rf"{re.escape(before)}\.(\d+)\.", name) for name in self.left)
        return sorted({int(match[1]) for match in found if match})

    def stack(self, before: str, activation: Step) -> tuple[Step, ...]:
        """A row of linear layers, each with its norm where it has one, and an activation."""
        steps: list[Step] = []
        for i in self.numbers(before):
            layer = f"{before}.{i}"
            if self.left.get(f"{layer}.weight", np.empty(0)).ndim == 1 and steps:
                # The activation comes behind the norm.
                norm = LayerNorm(self.take(f"{layer}.weight"), self.take(f"{layer}.bias"))
                steps.insert(len(steps) - 1, norm)
            else:
                steps += [self.linear(layer), activation]
        return tuple(steps)

    def scorer(self, before: str) -> Scorer:
        """An attention net as CLAM names its layers, gated or not."""
        if f"{before}.attention_a.0" in self:
            hidden, gate = (self.linear(f"{before}.attention_{x}.0") for x in "ab")
            return Scorer(hidden, gate, self.linear(f"{before}.attention_c"))
        first, last = (*self.numbers(f"{before}.module"), 0, 2)[:2]
        hidden = self.linear(f"{before}.module.{first}")
        return Scorer(hidden, None, self.linear(f"{before}.module.{last}"))

    def instances(self) -> Linear | None:
        """CLAM's instance classifiers side by side."""
        each = [
            self.linear(f"instance_classifiers.{i}") for i in self.numbers("instance_classifiers")
        ]
        return _side_by_side(each) if each else None


def _clam(tensors: _Tensors) -> AttentionPooling:
    first, *rest = tensors.numbers("attention_net") or [0]
    project = (tensors.linear(f"attention_net.{first}"), relu)
    scorer = tensors.scorer(f"attention_net.{rest[0] if rest else 3}")
    classes = tensors.numbers("classifiers")
    if classes:
        each = [tensors.linear(f"classifiers.{i}") for i in classes]
        kind, branches, classify = "CLAM-MB", _names("class", len(each)), _each_its_own(each)
    else:
        kind, branches, classify = "CLAM-SB", ("attention",), tensors.linear("classifiers")
    return _pooling(tensors, kind, branches, project, (scorer,), (classify,), tensors.instances())


def _mil_lab(tensors: _Tensors) -> AttentionPooling:
    project = tensors.stack("patch_embed", relu)
    scorer = tensors.scorer("global_attn")
    classify = (tensors.linear("classifier"),) if "classifier" in tensors else None
    instances = tensors.instances()
    kind = "ABMIL" if instances is None else "CLAM-SB"
    branches = _names("head", len(scorer.out.bias))
    return _pooling(tensors, kind, branches, project, (scorer,), classify, instances)


def _trident(tensors: _Tensors) -> AttentionPooling:
    project = tensors.stack("pre_attention_layers", gelu)
    before = "image_pooler"
    scorers = []
    for i in tensors.numbers(f"{before}.attention_heads"):
        gated = f"{before}.gating_layers.{i}.0" in tensors
        hidden = tensors.linear(f"{before}.attention_heads.{i}.0")
        gate = tensors.linear(f"{before}.gating_layers.{i}.0") if gated else None
        scorers.append(Scorer(hidden, gate, tensors.linear(f"{before}.branching_layers.{i}")))
    after: list[Step] = []
    if f"{before}.condensing_layer" in tensors:
        after.append(tensors.linear(f"{before}.condensing_layer"))
    after += tensors.stack("post_attention_layers", gelu)
    classify: tuple[Step, ...] | None = None
    if "classification_head" in tensors:
        classify = (*after, tensors.linear("classification_head"))
    heads = _names("head", len(scorers))
    per_head = len(scorers[0].out.bias) if scorers else 1
    if per_head == 1:
        branches = heads
    elif len(heads) == 1:
        branches = _names("branch", per_head)
    else:
        branches = tuple(f"{b}, {h}" for b in _names("branch", per_head) for h in heads)
    return _pooling(tensors, "TRIDENT ABMIL", branches, project, tuple(scorers), classify)


def _madeleine(tensors: _Tensors) -> AttentionPooling:
    project = tensors.stack("wsi_embedders.pre_attn", gelu)
    heads = tensors.numbers("wsi_embedders.attn")
    each = [tensors.scorer(f"wsi_embedders.attn.{i}") for i in heads]
    scorers = tuple(replace(s, offset=i, stride=len(each)) for i, s in enumerate(each))
    for embedding in ("projector", "token_projector"):
        tensors.linear(embedding)
    return _pooling(tensors, "MADELEINE", _names("head", len(each)), project, scorers, None)


def _ilse(tensors: _Tensors) -> AttentionPooling:
    project: tuple[Step, ...] = ()
    if "dimreduction.fc1" in tensors:
        project = (tensors.linear("dimreduction.fc1", bias=False), relu)
    before = "attention." if "attention.attention_V.0" in tensors else ""
    hidden, gate = (tensors.linear(f"{before}attention_{x}.0") for x in "VU")
    last = "attention_w" if f"{before}attention_w" in tensors else "attention_weights"
    scorer = Scorer(hidden, gate, tensors.linear(before + last))
    found = [n for n in ("classifier.fc", "classifier.0", "classifier") if n in tensors]
    classify = (tensors.linear(found[0]),) if found else None
    branches = _names("head", len(scorer.out.bias))
    return _pooling(tensors, "ABMIL", branches, project, (scorer,), classify)


def _dsmil(tensors: _Tensors) -> DualStream:
    plain = "i_classifier.fc" in tensors
    instances = tensors.linear("i_classifier.fc" if plain else "i_classifier.fc.0")
    query: tuple[Step, ...]
    value: tuple[Step, ...] = ()
    behind: tuple[Step, ...] = ()
    if "b_classifier.q" in tensors:
        query = (tensors.linear("b_classifier.q"),)
    else:
        query = (
            tensors.linear("b_classifier.q.0"),
            relu,
            tensors.linear("b_classifier.q.2"),
            tanh,
        )
        behind = (relu,)  # the version with the deeper query has one behind the value, too
    if "b_classifier.v.1" in tensors:
        value = (tensors.linear("b_classifier.v.1"), *behind)
    classify = tensors.linear("b_classifier.fcc")
    dim = instances.weight.shape[1]
    return DualStream(f"DSMIL ({tensors.source})", dim, instances, query, value, classify)


#: How the name of a tensor begins that only one layout has, and what reads that layout.
LAYOUTS: dict[str, Callable[[_Tensors], AttentionPooling | DualStream]] = {
    "attention_net.": _clam,
    "global_attn.": _mil_lab,
    "image_pooler.attention_heads.": _trident,
    "wsi_embedders.attn.": _madeleine,
    "attention.attention_V.": _ilse,
    "attention_V.": _ilse,
    "b_classifier.": _dsmil,
}


def _pooling(
    tensors: _Tensors,
    kind: str,
    branches: tuple[str, ...],
    project: tuple[Step, ...],
    scorers: tuple[Scorer, ...],
    classify: tuple[Step, ...] | None,
    instances: Linear | None = None,
) -> AttentionPooling:
    layers = [step for step in (*project, *(s.hidden for s in scorers)) if isinstance(step, Linear)]
    if not layers:
        raise EncoderError(f"{tensors.source} has no attention layer.", "Download it again.")
    name = f"{kind} ({tensors.source})"
    dim = layers[0].weight.shape[1]
    return AttentionPooling(name, dim, branches, project, scorers, classify, instances)


def _names(what: str, n: int) -> tuple[str, ...]:
    """Classes are counted from 0, as in their makers' labels; heads from 1."""
    if n == 1 and what != "class":
        return ("attention",)
    return tuple(f"{what} {i if what == 'class' else i + 1}" for i in range(n))


def _side_by_side(layers: Sequence[Linear]) -> Linear:
    """Layers of the same input as one: (n, a) -> (n, b of the first, b of the second, ...)."""
    weights, biases = zip(*((layer.weight, layer.bias) for layer in layers), strict=True)
    return Linear(np.concatenate(weights), np.concatenate(biases))


def _each_its_own(layers: Sequence[Linear]) -> Linear:
    """Layers that each look at their own part of the input, as one."""
    from scipy.linalg import block_diag

    weight = np.asarray(block_diag(*(layer.weight for layer in layers)), np.float32)
    return Linear(weight, np.concatenate([layer.bias for layer in layers]))


def _some(names: Mapping[str, Any], most: int = 4) -> str:
    """A few names, and how many more there are."""
    first = ", ".join(list(names)[:most])
    return f"{first} and {len(names) - most} more" if len(names) > most else first or "none"

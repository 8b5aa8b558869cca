"""What the catalogue says of the text tower of an encoder that has one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Size = Annotated[int, Field(gt=0)]


class TextSpec(BaseModel):
    """How to build a text tower and what to feed it. As in `Entry`, nothing is left to defaults.

    Parameters
    ----------
    kind : "clip", "coca", "bert" or "beit3"
        Whose architecture it is: that of CLIP (Radford et al. 2021), of CoCa's text half (Yu et
        al. 2022), BERT (Devlin et al. 2019) or BEiT-3's language branch (Wang et al. 2022).
    width, layers, heads : int
        Of its transformer, whose MLPs are four times as wide.
    vocabulary : int
        Rows of its embedding of words.
    context : int
        The longest text it takes, in tokens; what is longer is cut.
    activation : "gelu" or "quick_gelu"
    pool : "end", "cls" or "pooler"
        Which token stands for the text: the one that ends it, the class token, or what BERT's
        pooler makes of the class token.
    head : "projection", "mlp" or None
        What brings that token into the space that images share.
    dim : int
        Dimensions of that space.
    image_projection : bool
        Whether an embedding has to go through one more matrix to get there. The embeddings of the
        others are there already.
    tokenizer : tuple of str
        Names of the file with its vocabulary, the preferred one first; none where the vocabulary
        is CLIP's, which comes with open_clip.
    tokenizer_page : str
        Where that file is, if not on the encoder's page on the hub.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["clip", "coca", "bert", "beit3"]
    width: Size
    layers: Size
    heads: Size
    vocabulary: Size
    context: Size
    activation: Literal["gelu", "quick_gelu"]
    pool: Literal["end", "cls", "pooler"]
    head: Literal["projection", "mlp"] | None
    dim: Size
    image_projection: bool = False
    tokenizer: tuple[str, ...] = ()
    tokenizer_page: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> TextSpec:
        pools = {"clip": ("end",), "coca": ("cls",), "bert": ("cls", "pooler"), "beit3": ("cls",)}
        if self.pool not in pools[self.kind]:
            raise ValueError(f"a text tower of kind {self.kind} is not pooled by {self.pool}")
        if (self.kind == "clip") == bool(self.tokenizer):
            raise ValueError("CLIP's vocabulary comes with open_clip, that of others in a file")
        if self.image_projection and self.kind not in ("coca", "beit3"):
            raise ValueError(f"files of kind {self.kind} hold no matrix for the vectors of images")
        if self.head is None and self.dim != self.width:
            raise ValueError(f"without a head {self.width} dimensions stay, not {self.dim}")
        return self

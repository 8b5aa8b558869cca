"""Attention of slide-level heads in a session, from files in CLAM's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_scalescope.geometry import Box
from napari_scalescope.session import Session, View

VIEW = View(Box(600, 500, 1400, 1000), 0.5)


def clam(path: Path, dim: int, classes: int = 1, seed: int = 0) -> Path:
    """A head as CLAM saves it: gated attention, one branch (SB) or one per class (MB)."""
    import torch

    make = torch.Generator().manual_seed(seed)

    def layer(name: str, out: int, given: int) -> dict[str, torch.Tensor]:
        return {
            f"{name}.weight": torch.randn(out, given, generator=make) / given**0.5 * 9,
            f"{name}.bias": torch.randn(out, generator=make),
        }

    state = {
        **layer("attention_net.0", 16, dim),
        **layer("attention_net.3.attention_a.0", 8, 16),
        **layer("attention_net.3.attention_b.0", 8, 16),
        **layer("attention_net.3.attention_c", classes, 8),
    }
    if classes == 1:
        state |= layer("classifiers", 2, 16)
    else:
        for i in range(classes):
            state |= layer(f"classifiers.{i}", 1, 16)
    torch.save(state, path)
    return path


@pytest.fixture
def encoded(session: Session) -> Session:
    session.set_view(VIEW)
    session.encode_view()
    assert session.wait(30)
    return session


def test_a_head_of_the_right_length_is_laid_over_the_slide(
    encoded: Session, tmp_path: Path
) -> None:
    encoded.show("mil")
    assert encoded.wait(30)
    assert encoded.map.found is None  # no head yet
    encoded.mil.choose(clam(tmp_path / "head.pt", 6))
    assert encoded.wait(30)
    found, shown = encoded.mil.found, encoded.map.found
    assert found is not None
    assert shown is not None
    assert shown.name == "MIL attention"
    assert shown.unit == "× uniform"
    assert np.nanmean(shown.values) == pytest.approx(1, rel=1e-3)
    assert found.weights.sum() == pytest.approx(1)
    assert 0 < found.entropy.nats < np.log(len(found.emb))
    assert found.entropy.share == pytest.approx(found.entropy.nats / np.log(len(found.emb)))
    # The slide's halves were painted otherwise, and the head says so.
    left, right = shown.at(900, 1000), shown.at(1700, 1000)
    assert left is not None
    assert right is not None
    assert abs(left - right) > 0.05
    encoded.show("mil", normalise="rank")
    assert encoded.wait(30)
    assert encoded.map.found.unit == "percentile"


def test_branches_and_more_tiles(encoded: Session, tmp_path: Path) -> None:
    encoded.show("mil")
    encoded.mil.choose(clam(tmp_path / "head.pt", 6, classes=3))
    assert encoded.wait(30)
    assert encoded.map.found.name == "MIL attention (class 0)"
    first = encoded.mil.found
    encoded.show("mil", branch=2)
    assert encoded.wait(30)
    assert encoded.map.found.name == "MIL attention (class 2)"
    encoded.encode_slide()
    assert encoded.wait(60)
    assert len(encoded.mil.found.emb) > len(first.emb)
    assert "softmax over the " in encoded.map.found.legend
    # Another head with fewer branches: its first is taken.
    encoded.mil.choose(clam(tmp_path / "other.pt", 6))
    assert encoded.wait(30)
    assert encoded.mil.found.branch == 0


def test_a_head_of_another_length_is_refused_in_words(encoded: Session, tmp_path: Path) -> None:
    encoded.show("mil")
    encoded.mil.choose(clam(tmp_path / "good.pt", 6))
    assert encoded.wait(30)
    assert encoded.map.found is not None
    encoded.mil.choose(clam(tmp_path / "long.pt", 1024))
    assert encoded.wait(30)
    assert encoded.map.found is None
    assert "CLAM-SB (long.pt) was trained on 1024-d vectors, those of Fake" in encoded.mil.refused
    assert "have 6" in encoded.mil.refused
    encoded.mil.choose(clam(tmp_path / "good.pt", 6))
    assert encoded.wait(30)
    assert encoded.mil.refused == ""
    assert encoded.map.found is not None


def test_what_is_no_head_is_refused_in_words(encoded: Session, tmp_path: Path) -> None:
    encoded.show("mil")
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"nothing of the kind")
    encoded.mil.choose(broken)
    assert encoded.wait(30)
    assert encoded.mil.refused
    assert encoded.mil.head is None


def test_the_head_is_remembered_for_its_encoder(
    encoded: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded.show("mil")
    encoded.mil.choose(clam(tmp_path / "head.pt", 6))
    assert encoded.wait(30)
    encoded.mil.head = None  # as on another day
    encoded.mil.forget()
    encoded.mil.find()
    assert encoded.wait(30)
    assert encoded.mil.head is not None
    assert encoded.mil.head.name == "CLAM-SB (head.pt)"


def test_another_slide_forgets_the_map_and_keeps_the_head(encoded: Session, tmp_path: Path) -> None:
    from ..slides.memory import coloured_slide

    encoded.show("mil")
    encoded.mil.choose(clam(tmp_path / "head.pt", 6))
    assert encoded.wait(30)
    encoded.set_slide(coloured_slide(1500, 1200))
    assert encoded.wait(30)
    assert encoded.mil.found is None
    assert encoded.mil.head is not None
    encoded.set_view(View(Box(300, 300, 900, 700), 0.5))
    encoded.encode_view()
    assert encoded.wait(30)
    assert encoded.map.found is not None


@pytest.mark.parametrize(
    ("file", "length"), [("clam_demo_s_0_checkpoint.pt", 1024), ("dsmil_c16_aggregator.pth", 512)]
)
def test_real_heads_say_what_they_were_trained_on(
    encoded: Session, shared: Path, file: str, length: int
) -> None:
    encoded.show("mil")
    encoded.mil.choose(shared / "weights" / "mil" / file)
    assert encoded.wait(60)
    assert f"was trained on {length}-d vectors" in encoded.mil.refused

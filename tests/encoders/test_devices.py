"""Processes of one machine share what it has."""

from __future__ import annotations

import os

import pytest

from napari_scalescope.encoders.devices import nth_device, processes
from napari_scalescope.errors import EncoderError

torch = pytest.importorskip("torch")


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("gpus")
def test_with_gpus_there_is_one_process_for_each() -> None:
    assert [processes(d) for d in ("auto", "cuda", "cuda:1", "cpu")] == [2, 2, 1, os.cpu_count()]
    assert [nth_device("auto", n) for n in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert nth_device("cuda", 1) == "cuda:1"
    assert (nth_device("cuda:0", 1), nth_device("cpu", 1)) == ("cuda:0", "cpu")


def test_without_there_is_one_for_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert processes("auto") == os.cpu_count()
    assert nth_device("auto", 3) == "cpu"
    with pytest.raises(EncoderError, match="no usable CUDA device"):
        processes("cuda")

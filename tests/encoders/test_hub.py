"""Weights from a server that behaves as the hub does, with the hub's own client."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
from huggingface_hub import constants, errors

from napari_scalescope.encoders import Entry, availability, catalogue
from napari_scalescope.encoders.hub import download, in_words
from napari_scalescope.encoders.weights import find_weights
from napari_scalescope.errors import EncoderError

from .hub_server import HubServer, serving

CONTENT = np.random.default_rng(0).bytes(3_000_000)


@pytest.fixture
def entry() -> Entry:
    return catalogue()["uni2-h"]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with serving({"model.safetensors": CONTENT}) as server:
        yield server


def test_it_arrives_whole_is_told_of_and_is_found_afterwards(hub: HubServer, entry: Entry) -> None:
    told: list[tuple[int, int]] = []
    assert availability(entry, None) == "needs a licence"
    path = download(entry, lambda done, total: told.append((done, total)), hub.url)
    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert find_weights(entry, None) == path
    assert availability(entry, None) == "on this machine"
    download(entry, None, hub.url)
    assert sum(hub.sent) == len(CONTENT)  # the second time it was there


def test_the_next_name_is_tried_where_the_first_is_not_there(hub: HubServer, entry: Entry) -> None:
    hub.files = {"pytorch_model.bin": CONTENT}
    assert download(entry, None, hub.url).name == "pytorch_model.bin"
    hub.files = {}
    elsewhere = entry.model_copy(update={"hub": "somebody/else"})
    with pytest.raises(EncoderError, match="holds none of"):
        download(elsewhere, None, hub.url)


def test_the_vocabulary_of_an_encoder_that_reads_comes_with_its_weights(hub: HubServer) -> None:
    from napari_scalescope.encoders.text_tokens import find_tokenizer

    keep, conch = catalogue()["keep"], catalogue()["conch"]
    assert keep.text is not None
    assert download(keep, None, hub.url).name == "model.safetensors"  # though there is none
    assert find_tokenizer(keep, keep.text, None, None) is None
    hub.files["vocab.txt"] = b"[PAD]"
    path = download(keep, None, hub.url)
    assert path.read_bytes() == CONTENT
    found = find_tokenizer(keep, keep.text, None, None)
    assert found is not None
    assert found.read_bytes() == b"[PAD]"
    hub.files = {"pytorch_model.bin": CONTENT}
    assert download(conch, None, hub.url).name == "pytorch_model.bin"  # its vocabulary is elsewhere


class Stopped(Exception):
    pass


def test_what_was_stopped_leaves_nothing_half_done(hub: HubServer, entry: Entry) -> None:
    hub.files["model.safetensors"] = content = CONTENT * 10

    def stop(done: int, _total: int) -> None:
        if done > len(content) // 3:
            raise Stopped

    with pytest.raises(Stopped):
        download(entry, stop, hub.url)
    assert find_weights(entry, None) is None
    assert download(entry, None, hub.url).read_bytes() == content


def test_a_connection_that_is_cut_is_taken_up_again(hub: HubServer, entry: Entry) -> None:
    hub.files["model.safetensors"] = content = CONTENT * 10
    hub.cut_after = 2 * len(content) // 3
    assert download(entry, None, hub.url).read_bytes() == content
    assert len(hub.sent) == 2
    assert hub.sent[1] < len(content)


@pytest.mark.parametrize(
    ("fails", "says", "remedy"),
    [
        ((401, "GatedRepo", ""), "those who accept its licence", "hf auth login"),
        ((403, "GatedRepo", ""), "may not have UNI2-h yet", "Accept its licence"),
        ((404, "RepoNotFound", ""), "There is no MahmoodLab/UNI2-h", "hf auth login"),
        ((401, "", "Invalid credentials in Authorization header"), "does not know", "new one"),
        ((403, "", ""), "may not read", "gated repositories"),
        ((404, "RevisionNotFound", ""), "answered 404", "later"),
    ],
)
def test_what_the_hub_refuses(
    hub: HubServer, entry: Entry, fails: tuple[int, str, str], says: str, remedy: str
) -> None:
    hub.fails = fails
    with pytest.raises(EncoderError, match=says) as caught:
        download(entry, None, hub.url)
    assert remedy in caught.value.remedy


def test_offline_is_said(hub: HubServer, entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(EncoderError, match="HF_HUB_OFFLINE"):
        download(entry, None, hub.url)


def test_what_is_on_no_hub(entry: Entry) -> None:
    with pytest.raises(EncoderError, match="on no hub") as caught:
        download(catalogue()["ctranspath"])
    assert "ctranspath.pth" in caught.value.remedy


def response(status: int) -> Any:
    return httpx.Response(status, request=httpx.Request("GET", "http://hub"))


def after(cause: BaseException, error: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (httpx.ConnectError("refused"), "cannot be reached"),
        (httpx.RemoteProtocolError("peer closed"), "broke off"),
        (httpx.ReadTimeout("slow"), "broke off"),
        (OSError("Consistency check failed: file should be of size 9"), "broke off"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "cache"), "may not be written"),
        (errors.HfHubHTTPError("slow down", response=response(429)), "slow down"),
        (errors.HfHubHTTPError("bad gateway", response=response(502)), "answered 502"),
        (errors.DisabledRepoError("gone", response=response(403)), "has closed"),
        (ValueError("something else"), "something else"),
    ],
)
def test_what_else_may_happen(entry: Entry, error: BaseException, says: str) -> None:
    """The hub's client wraps most of it into an error that the file is not here."""
    wrapped = after(error, errors.LocalEntryNotFoundError("not in the cache"))
    for made in (error, *([] if isinstance(error, ValueError) else [wrapped])):
        told = in_words(made, entry)
        assert says in told.problem
        assert told.remedy

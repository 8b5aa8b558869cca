"""OME-Zarr at an address."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import numpy as np
import pytest

from napari_scalescope.errors import SlideError, UnreachableError
from napari_scalescope.session import Session
from napari_scalescope.slides import open_slide
from napari_scalescope.slides.formats import remote
from napari_scalescope.slides.formats.remote import name_of, place_of, shown

from .conftest import smooth_picture, write_ngff, write_pyramid

PICTURE = smooth_picture(300, 200)
LEVELS = [np.moveaxis(p, -1, 0) for p in (PICTURE, PICTURE[::2, ::2])]


class Server:
    """A folder behind HTTP, which may be told to fail."""

    def __init__(self, folder: Path) -> None:
        self.status = 0
        outer = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                if outer.status:
                    self.send_error(outer.status)
                else:
                    super().do_GET()

            def list_directory(self, path: Any) -> None:
                self.send_error(403)  # no listing, as most object stores behind https

            def log_message(self, *_: Any) -> None: ...

        handler = partial(Handler, directory=str(folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    pytest.importorskip("aiohttp")
    made = Server(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_over_http(server: Server, tmp_path: Path, version: str) -> None:
    write_ngff(tmp_path / "a slide.ome.zarr", LEVELS, version=version)
    url = f"{server.url}/a%20slide.ome.zarr"
    with open_slide(url + "/") as slide, open_slide(tmp_path / "a slide.ome.zarr") as local:
        assert (slide.name, slide.path, slide.url) == ("a slide.ome.zarr", None, url + "/")
        assert slide.format == f"OME-Zarr {version}"
        assert slide.mpp == 0.25
        assert slide.fingerprint == local.fingerprint
        np.testing.assert_array_equal(slide.read_level(0, 0, 0, 300, 200), PICTURE)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_in_memory(version: str) -> None:
    url = f"memory://{uuid4().hex}/a.ome.zarr"
    write_ngff(url, LEVELS, version=version)
    with open_slide(url) as slide:
        assert slide.name == "a.ome.zarr"
        np.testing.assert_array_equal(slide.read_level(1, 0, 0, 150, 100), PICTURE[::2, ::2])


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    write_ngff(tmp_path / "a b.zarr", LEVELS)
    write_pyramid(tmp_path / "a.tif", PICTURE)
    for name in ("a b.zarr", "a.tif"):
        with open_slide((tmp_path / name).as_uri()) as slide:
            assert (slide.path, slide.url) == (tmp_path / name, None)


def test_the_fingerprint_follows_the_pixels(tmp_path: Path) -> None:
    prints = []
    for name, seed in (("a.zarr", 0), ("b.zarr", 0), ("c.zarr", 1)):
        write_ngff(tmp_path / name, [np.moveaxis(smooth_picture(300, 200, seed), -1, 0)])
        with open_slide(tmp_path / name) as slide:
            prints.append(slide.fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_nothing_there(server: Server, tmp_path: Path) -> None:
    with pytest.raises(SlideError, match=r"no OME-Zarr at http.*/a\.zarr.*downloaded first"):
        open_slide(f"{server.url}/a.zarr")
    with pytest.raises(SlideError, match="no OME-Zarr at memory://"):
        open_slide(f"memory://{uuid4().hex}/a.zarr")
    write_pyramid(tmp_path / "a.svs", PICTURE)
    with pytest.raises(SlideError, match="downloaded first"):
        open_slide(f"{server.url}/a.svs")


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (403, SlideError, "may not be read"),
        (500, UnreachableError, "cannot be reached now"),
        (503, UnreachableError, "cannot be reached now"),
    ],
)
def test_a_server_that_refuses(
    server: Server, tmp_path: Path, status: int, kind: type[SlideError], words: str
) -> None:
    write_ngff(tmp_path / "a.zarr", LEVELS)
    server.status = status
    with pytest.raises(kind, match=words):
        open_slide(f"{server.url}/a.zarr")


def test_a_server_that_fails_later_says_nothing_of_the_pixels(
    server: Server, tmp_path: Path
) -> None:
    write_ngff(tmp_path / "a.zarr", LEVELS)
    with open_slide(f"{server.url}/a.zarr") as slide:
        server.status = 503
        with pytest.raises(UnreachableError, match=r"a\.zarr cannot be read now"):
            slide.read_level(0, 0, 0, 64, 64)
        server.status = 0
        np.testing.assert_array_equal(slide.read_level(0, 0, 0, 64, 64), PICTURE[:64, :64])


def test_nobody_listens(server: Server) -> None:
    server.close()
    with pytest.raises(UnreachableError, match="cannot be reached now"):
        open_slide(f"{server.url}/a.zarr")


def test_a_server_that_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    pytest.importorskip("aiohttp")
    monkeypatch.setattr(remote, "READ_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.zarr"
        with pytest.raises(UnreachableError, match="cannot be reached now"):
            open_slide(url)


def test_a_damaged_chunk_is_damage(server: Server, tmp_path: Path) -> None:
    write_ngff(tmp_path / "a.zarr", LEVELS)
    for chunk in (tmp_path / "a.zarr" / "0").rglob("*"):
        if chunk.is_file() and not chunk.name.startswith("."):
            chunk.write_bytes(b"no chunk")
    with (
        open_slide(f"{server.url}/a.zarr") as slide,
        pytest.raises(SlideError, match="is damaged") as caught,
    ):
        slide.read_level(0, 0, 0, 64, 64)
    assert not isinstance(caught.value, UnreachableError)


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any, **__: Any) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "url_to_fs", missing)
    with pytest.raises(SlideError, match=r"read through s3fs.*pip install s3fs"):
        open_slide("s3://bucket/a.zarr")


def test_an_address_of_no_known_kind() -> None:
    with pytest.raises(SlideError, match=r"gopher://host/a\.zarr cannot be opened"):
        open_slide("gopher://host/a.zarr")


def test_an_address_with_a_query_is_refused_without_repeating_it() -> None:
    with pytest.raises(SlideError, match="with a query") as caught:
        open_slide("https://me:word@host/a.zarr?signature=xyz")
    assert not any(secret in str(caught.value) for secret in ("xyz", "word"))


def test_names_and_secrets() -> None:
    assert name_of("s3://bucket/folder/a%20b.zarr/") == "a b.zarr"
    assert name_of("https://host") == "host"
    assert shown("https://me:secret@host/a.zarr?signature=x") == "https://host/a.zarr"
    assert place_of(r"C:\slides\a.svs") == Path(r"C:\slides\a.svs")


def test_a_session_remembers_the_resolution_of_an_address() -> None:
    url = f"memory://{uuid4().hex}/a.ome.zarr"
    write_ngff(url, LEVELS)
    with Session() as session:
        session.open(url)
        session.set_slide_mpp(0.4)
    with open_slide(url) as slide:
        assert slide.mpp == 0.4


def test_on_the_command_line(server: Server, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from napari_scalescope.cli import app

    write_ngff(tmp_path / "a.zarr", LEVELS)
    result = CliRunner().invoke(app, ["info", f"{server.url}/a.zarr"])
    assert result.exit_code == 0
    assert "a.zarr: OME-Zarr 0.4, 300 × 200 px" in result.stdout
    result = CliRunner().invoke(app, ["info", f"{server.url}/b.zarr"])
    assert result.exit_code == 1
    assert "There is no OME-Zarr" in result.stderr


def test_embedding_from_an_address(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_scalescope.cli import whole_slides

    from ..embeddings.fake import FakeEncoder

    monkeypatch.setattr(whole_slides, "load_encoder", lambda *_, **__: FakeEncoder())
    write_ngff(tmp_path / "a.zarr", LEVELS)
    out = tmp_path / "store"
    for place, encoded in ((f"{server.url}/a.zarr", True), (tmp_path / "a.zarr", False)):
        request = whole_slides.Request((place,), ("x",), (0.25,), out, tissue=False)
        report = whole_slides.embed_slides(request)
        assert not report["failed"]
        (row,) = report["sets"]
        # the folder is the same slide, and nothing of it is computed again
        assert (row["encoded"] > 0) is encoded

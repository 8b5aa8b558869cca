"""Disks that are full, read-only or gone, and locks of the dead, made for real where possible."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scalescope.embeddings import StoredSet, locks
from napari_scalescope.embeddings.upkeep import remove_set, verify
from napari_scalescope.errors import StoreError
from napari_scalescope.slides import Slide

from ..slides.memory import coloured_slide
from .fake import FakeEncoder
from .test_store import TILES, encode, opened, tree

ALL = ("attention", "patch_tokens")


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 400 kB. Needs root, as in a container."""
    path = tmp_path / "disk"
    path.mkdir()
    try:
        mount("-t", "tmpfs", "-o", "size=400k", "tmpfs", str(path))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("may not mount a disk")
    yield path
    if path.is_mount():
        subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_disk_that_fills_up_while_encoding(
    disk: Path, slide: Slide, encoder: FakeEncoder
) -> None:
    stored = opened(disk, slide, encoder)
    kept: list[tuple[int, int]] = []

    def encode_all() -> None:
        for row in range(38):
            encode(stored, slide, encoder, [(row, col) for col in range(47)])
            kept.extend((row, col) for col in range(47))

    with pytest.raises(StoreError, match="is full"):
        encode_all()
    assert kept
    assert not list(disk.rglob("*.partial"))
    again = opened(disk, slide, encoder)
    assert len(again.missing(kept, ALL)) == 0
    assert len(again.embeddings().vectors) == len(kept)


def test_a_disk_that_is_full_when_batches_are_merged(
    disk: Path, slide: Slide, encoder: FakeEncoder
) -> None:
    stored = opened(disk, slide, encoder)
    encode(stored, slide, encoder, TILES)
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    with pytest.raises(StoreError, match="is full"):
        stored.merge()
    assert len(opened(disk, slide, encoder).missing(TILES, ALL)) == 0
    filler.unlink()
    stored.merge()
    assert not list(disk.rglob("*.npz"))
    assert not list(disk.rglob("*.partial"))
    assert len(opened(disk, slide, encoder).missing(TILES, ALL)) == 0


def test_a_store_that_may_only_be_read_can_be_looked_at(
    disk: Path, slide: Slide, encoder: FakeEncoder
) -> None:
    stored = opened(disk, slide, encoder)
    encode(stored, slide, encoder, TILES[:3])
    stored.close()
    encode(stored, slide, encoder, TILES[3:])
    mount("-o", "remount,ro", str(disk))
    again = opened(disk, slide, encoder)
    assert len(again.embeddings().vectors) == 5
    assert list(verify(again.path)) == []
    for change in (again.close, lambda: encode(again, slide, encoder, [[2, 2]])):
        with pytest.raises(StoreError, match="may not be written"):
            change()
    with pytest.raises(StoreError, match="may not be written"):
        opened(disk, slide, encoder, mpp=1.0)
    mount("-o", "remount,rw", str(disk))
    again.close()
    encode(again, slide, encoder, [[2, 2]])
    assert len(opened(disk, slide, encoder).embeddings()) == 6


def away_by_renaming(root: Path) -> Callable[[], Any]:
    gone = root.with_name("gone")
    root.rename(gone)
    return lambda: gone.rename(root)


def away_by_emptying(root: Path) -> Callable[[], Any]:
    """As a mount point is left when its share goes."""
    gone = root.with_name("gone")
    root.rename(gone)
    root.mkdir()

    def back() -> None:
        root.rmdir()  # nothing was written there
        gone.rename(root)

    return back


@pytest.mark.parametrize("away", [away_by_renaming, away_by_emptying])
def test_a_share_that_goes_and_comes_back(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder, away: Callable[[Path], Callable[[], Any]]
) -> None:
    root = tmp_path / "share"
    stored = opened(root, slide, encoder)
    encode(stored, slide, encoder, TILES[:2])
    emb = stored.embeddings()
    back = away(root)
    for use in (
        lambda: encode(stored, slide, encoder, TILES[2:]),
        stored.merge,
        lambda: emb.vectors,
        lambda: emb.part("attention"),
    ):
        with pytest.raises(StoreError, match="is gone"):
            use()
    back()
    assert len(stored.missing(TILES)) == 3
    assert len(emb.vectors) == 2
    encode(stored, slide, encoder, TILES[2:])
    stored.close()
    assert np.isfinite(opened(root, slide, encoder).embeddings().vectors).all()


HOLD = """
import sys, time
from pathlib import Path
from napari_scalescope.embeddings.locks import Locks
with Locks(Path(sys.argv[1])).alone():
    print("held", flush=True)
    time.sleep(60)
"""


def test_locks_of_a_killed_process_block_nobody(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = opened(tmp_path, slide, encoder)
    encode(stored, slide, encoder, TILES)
    command = [sys.executable, "-W", "ignore", "-c", HOLD, str(stored.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        monkeypatch.setattr(locks, "TIMEOUT_S", 0.1)
        with pytest.raises(StoreError, match="another process"):
            stored.merge()
        holder.kill()
        holder.wait()
        stored.merge()
    assert not list(tmp_path.rglob("*.npz"))


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP])
@pytest.mark.filterwarnings("ignore:.*flock")
def test_a_file_system_without_locks(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    fcntl = pytest.importorskip("fcntl")
    from filelock import SoftFileLock

    def no_locks(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    monkeypatch.setattr(locks, "TIMEOUT_S", 3.0)
    stored = opened(tmp_path, slide, encoder)
    encode(stored, slide, encoder, TILES)
    stored.merge()
    assert not list(tmp_path.rglob("*.npz"))
    # A marker that a dead process of this machine left behind is broken.
    encode(stored, slide, encoder, TILES)
    marker = tmp_path / ".locks" / f"{stored.path.parent.name}.{stored.name}.lock"
    if number != errno.ENOSYS:
        marker = marker.with_name(f"{marker.name}.soft")
    lock = SoftFileLock(marker)
    lock.acquire()
    record = marker.read_text()
    lock.release()
    marker.write_text(record.replace(str(os.getpid()), str(dead_process())))
    stored.merge()
    assert not list(tmp_path.rglob("*.npz"))


def dead_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


WORKER = """
import sys
from pathlib import Path
import numpy as np
from napari_scalescope.embeddings import StoredSet
from napari_scalescope.encoders import Encoding
stored, first = StoredSet(Path(sys.argv[1])), int(sys.argv[2])
corners = list(stored._arrays.corners())[first::2]
for number, (y, x) in enumerate(corners):
    tiles = np.argwhere(np.ones((3, 3))) + (y, x)
    stored.write(tiles, Encoding(np.full((9, 6), y + x, np.float32),
                 attention=np.ones((9, 2, 4, 4), np.float32)))
    stored.merge([(y, x)])
"""


def test_processes_merge_blocks_of_one_set_at_once(tmp_path: Path, encoder: FakeEncoder) -> None:
    large = coloured_slide(9000, 8000)
    stored = opened(tmp_path, large, encoder)
    command = [sys.executable, "-W", "ignore", "-c", WORKER, str(stored.path)]
    workers = [subprocess.Popen([*command, str(n)]) for n in range(2)]
    assert [w.wait() for w in workers] == [0, 0]
    again = StoredSet(stored.path)
    corners = list(again._arrays.corners())
    assert len(corners) >= 20
    emb = again.embeddings()
    assert len(emb) == 9 * len(corners)
    np.testing.assert_array_equal(emb.vectors[:, 0], (emb.tiles // 32 * 32).sum(1))
    assert len(emb.having("attention")) == len(emb)
    assert not list(tmp_path.rglob("*.npz"))


def test_a_set_that_is_locked_is_not_removed(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = opened(tmp_path, slide, encoder)
    encode(stored, slide, encoder, TILES)
    before = tree(tmp_path)
    monkeypatch.setattr(locks, "TIMEOUT_S", 0.1)
    with locks.Locks(stored.path).block(3), pytest.raises(StoreError, match="another process"):
        remove_set(stored.path)
    assert tree(tmp_path) == before


def test_a_draft_of_another_process_may_go_while_a_folder_is_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_scalescope.embeddings import disk

    (tmp_path / "folder").mkdir()
    for name in ("mine", "theirs.partial"):
        (tmp_path / "folder" / name).touch()
    flushed: list[str] = []
    flush = disk.flush

    def late(path: Path) -> None:
        if path.suffix == ".partial":
            path.rename(path.with_suffix(""))
        flush(path)
        flushed.append(path.name)

    monkeypatch.setattr(disk, "flush", late)
    disk.flush_tree(tmp_path / "folder", tmp_path)
    assert {"mine", "folder"} <= {*flushed}
    with pytest.raises(FileNotFoundError):
        flush(tmp_path / "folder" / "none")

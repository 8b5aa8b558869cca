"""Which file is read by what.

Files are told apart by their content, never by their extension.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import SlideError
from ..remembered import recall
from ..resolution import possible, resolve
from ..slide import Slide
from .icc import correct
from .ome_zarr import OmeZarrReader, open_remote
from .remote import name_of, place_of

#: Extensions that only slides have.
SUFFIXES = (".svs", ".ndpi", ".scn", ".mrxs", ".vms", ".vmu", ".bif", ".czi", ".zarr")

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def open_slide(path: str | Path, *, mpp: float | None = None, icc: bool = False) -> Slide:
    """Open a whole-slide image.

    Parameters
    ----------
    path : str or Path
        Where it is; an OME-Zarr may also be at a URL (https, s3 and what else fsspec reads).
        SVS, NDPI, SCN, OME-TIFF, generic or pyramidal TIFF, an OME-Zarr folder (0.4, 0.5), a PNG
        or JPEG picture; with the extra ``openslide``, MRXS, VMS, BIF, CZI, and DICOM as a file of
        a series or as its folder.
    mpp : float, optional
        µm per level-0 pixel, in place of what the file says, and of what the user has set for it
        before.
    icc : bool
        Bring the colours to sRGB by the ICC profile the file embeds. Off, because encoders were
        trained on the bare numbers of scanners; what is computed with it on is kept apart.

    Returns
    -------
    Slide

    Raises
    ------
    SlideError
        If it is not there, not allowed to be read, not an image, damaged, or of a kind that
        ScaleScope does not read; if it embeds no profile where ``icc`` asks for one. The text
        names the file and what to do.
    ResolutionError
        If ``mpp`` is not a positive number.
    """
    if mpp is not None:
        possible(mpp)  # before there is a file to close again
    place = place_of(path)
    name = place.name if isinstance(place, Path) else name_of(place)
    reader = None
    try:
        reader = (
            _opened(_reader_for(place), place) if isinstance(place, Path) else open_remote(place)
        )
        statements, objective = reader.statements()
        _refuse_empty(name, reader.sizes)
        mark = correct(reader, name) if icc else ""
        content = _content(place, reader) + mark
    except Exception as error:
        if reader is not None:
            reader.close()
        if isinstance(error, SlideError):
            raise
        raise _in_words(place, name, error) from error
    slide = Slide(
        name,
        place if isinstance(place, Path) else None,
        reader,
        resolve(statements, objective),
        content,
        None if isinstance(place, Path) else place,
    )
    if mpp is not None:
        slide.set_mpp(mpp)
    elif (before := recall(slide.fingerprint)) is not None:
        slide.set_mpp(before, "set by the user before")
    return slide


def _in_words(place: Path | str, name: str, error: Exception) -> SlideError:
    """Whatever opening a file ended in, as an error of ours."""
    text = str(error).replace(str(place), name)  # folders say nothing, and can say too much
    if isinstance(error, NotImplementedError):
        return SlideError(
            f"{name} is laid out in a way ScaleScope does not read ({text}).",
            "Export the brightfield image as RGB.",
        )
    return SlideError(  # parsers of damaged files raise anything
        f"{name} is damaged or incomplete and cannot be opened ({type(error).__name__}: {text}).",
        "Copy the file again from its source.",
    )


def _content(place: Path | str, reader: Any) -> str:
    """The fingerprint of what lies at a place."""
    if isinstance(reader, OmeZarrReader):
        return reader.fingerprint()
    return fingerprint(Path(place))


def _opened(make: Callable[[Path], Any], path: Path) -> Any:
    """A reader, openslide's where ours does not get through a file."""
    try:
        return make(path)
    except SlideError:
        raise
    except Exception as error:
        # Ventana's overlapping tiles, and whatever dialect tiffslide does not parse
        from . import openslide

        if make is openslide.OpenSlideReader or not openslide.knows(path):
            raise
        try:
            reader = openslide.OpenSlideReader(path)
        except Exception:  # noqa: BLE001 the first reader's reason is the better one
            raise error from None
        if not isinstance(error, NotImplementedError):
            reader.doubts.append(
                f"{path.name} is of a kind only openslide reads, or damaged ({error})."
            )
        return reader


def may_be_slide(path: Path) -> bool:
    """Whether a file or folder is a slide to take from a folder of many things.

    Told from its content, or from an extension that only slides have, so that one that is damaged
    or lacks its reader is tried and complained of rather than passed over. Pictures are not.
    """
    from .picture import PictureReader

    if path.name.startswith("."):
        return False
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        return _reader_for(path) is not PictureReader
    except (SlideError, OSError):
        return False


def _refuse_empty(name: str, sizes: tuple[tuple[int, int], ...]) -> None:
    if not sizes or min(sizes[0]) < 1:
        raise SlideError(f"{name} has no pixels.", "Write the image again.")


def _reader_for(path: Path) -> Callable[[Path], Any]:
    """The reader class for a path, or an error that says why there is none."""
    try:
        is_folder = path.is_dir()
        head = b"" if is_folder else _head(path)
    except FileNotFoundError:
        raise SlideError(f"There is no file {path}.", "Check the name and the folder.") from None
    except PermissionError:
        raise SlideError(
            f"{path.name} may not be read with your permissions.",
            "Ask the owner for read access, or copy it to a folder of yours.",
        ) from None
    except OSError as error:
        raise SlideError(
            f"{path.name} cannot be read ({error}).", "Check the disk or the network share."
        ) from error
    if is_folder:
        if any((path / n).exists() for n in ("zarr.json", ".zgroup", ".zattrs")):
            return OmeZarrReader
        if _dicom_file(path) is not None:
            return _dicom_series
        raise SlideError(
            f"{path.name} is a folder, not a slide.",
            "Choose the slide file inside it (or the .zarr folder itself).",
        )
    if head.startswith(_TIFF):
        from .tiff import open_tiff

        return open_tiff
    if head.startswith((b"\x89PNG\r\n", b"\xff\xd8\xff")) and path.suffix.lower() != ".mrxs":
        from .picture import PictureReader

        return PictureReader
    from . import openslide

    if openslide.knows(path):
        return openslide.OpenSlideReader
    raise _refusal(path, head)


def _dicom_file(folder: Path) -> Path | None:
    """The first file of a folder if that is DICOM."""
    first = next((p for p in sorted(folder.iterdir()) if p.is_file()), None)
    return first if first is not None and _head(first)[128:132] == b"DICM" else None


def _dicom_series(folder: Path) -> Any:
    """The reader of a folder's DICOM series, found from any of its files."""
    from . import openslide

    first = _dicom_file(folder)
    assert first is not None
    if not openslide.knows(first):
        raise _refusal(first, _head(first))
    return openslide.OpenSlideReader(first)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(256)


def _refusal(path: Path, head: bytes) -> SlideError:
    """Why a file that is no image we know cannot be opened."""
    if not head:
        return SlideError(f"{path.name} is empty.", "Copy the file again from its source.")
    if head.startswith(b"version https://git-lfs"):
        return SlideError(
            f"{path.name} is a Git LFS pointer, not the slide itself.", "Run `git lfs pull`."
        )
    suffix = path.suffix.lower()
    is_dicom = head[128:132] == b"DICM"
    if is_dicom or suffix in (".mrxs", ".vms", ".vmu", ".bif", ".czi"):
        kind = "DICOM" if is_dicom else f"a {suffix} slide"
        if find_spec("openslide") is None:
            return SlideError(
                f"{path.name} is {kind}, which is read through openslide, and that is not here.",
                'Install it: pip install "napari-scalescope[openslide]".',
            )
        if suffix == ".mrxs" and not path.with_suffix("").is_dir():
            return SlideError(
                f"{path.name} lies alone: the folder {path.stem} with its pixels is not beside it.",
                "Copy that folder to the same place.",
            )
        return SlideError(
            f"{path.name} is {kind} that openslide does not read: parts are missing, or it is no "
            "whole-slide image.",
            "Copy all of its files from their source, or convert it to pyramidal TIFF.",
        )
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return SlideError(
            f"{path.name} is a text file, not an image, whatever its extension says.",
            "Check which file this is.",
        )
    return SlideError(
        f"{path.name} is not an image in a format ScaleScope knows.",
        "It reads SVS, NDPI, SCN, TIFF, OME-TIFF, OME-Zarr, PNG and JPEG, and with openslide MRXS, "
        "VMS, BIF, CZI and DICOM.",
    )


def fingerprint(path: Path) -> str:
    """A sha256 that follows a slide's content wherever it is moved.

    Whole for files up to 4 MB; larger ones are sampled at 64 places (and by their size), which
    takes milliseconds for a slide of 10 GB on a network share. A folder is known by the names and
    sizes of its files. OME-Zarr has its own: see `OmeZarrReader.fingerprint`.
    """
    digest = hashlib.sha256()
    if path.is_dir():
        for part in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(f"{part.relative_to(path).as_posix()} {part.stat().st_size}\n".encode())
        return digest.hexdigest()
    size = path.stat().st_size
    digest.update(str(size).encode())
    with path.open("rb") as file:
        if size <= 4 << 20:
            digest.update(file.read())
        else:
            block, places = 64 << 10, 64
            for i in range(places):
                file.seek((size - block) * i // (places - 1))
                digest.update(file.read(block))
    return digest.hexdigest()

"""Colours as the scanner's ICC profile says they are meant, brought to sRGB by LittleCMS.

A profile describes what the numbers of one scanner look like. Encoders were trained on the bare
numbers of many scanners, so nothing is corrected unless it is asked for.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable

from ...errors import SlideError
from ..slide import Pixels, ProfiledReader, Reader

_REMEDY = "Open it without icc (on the command line, without --icc)."


def describe(profile: bytes) -> str:
    """What a profile calls itself."""
    from PIL import ImageCms

    try:
        text = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError) as error:
        return f"unreadable ({error})"
    return text.strip() or "without a name"


def to_srgb(profile: bytes, name: str) -> Callable[[Pixels], Pixels]:
    """A function of pixels (h, w, 3) uint8 from the profile's colours to sRGB.

    Relative colorimetric: the scanner's white becomes white, so that glass stays glass. It is
    computed once, holds no state, and may run in any number of threads.

    Raises
    ------
    SlideError
        If the profile cannot be read or is not one of RGB colours.
    """
    from PIL import Image, ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if space != "RGB":
            raise SlideError(
                f"{name} has an ICC profile of {space} colours, and pixels in RGB.", _REMEDY
            )
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            "RGB",
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
    except (ImageCms.PyCMSError, OSError) as error:
        raise SlideError(
            f"{name} has an ICC profile that is damaged ({error}).", _REMEDY
        ) from error

    def apply(pixels: Pixels) -> Pixels:
        import numpy as np

        return np.array(transform.apply(Image.fromarray(pixels)))

    return apply


def correct(reader: Reader, name: str) -> str:
    """Have a reader give sRGB from now on; returns what to add to the slide's fingerprint.

    The suffix keeps what is computed from corrected pixels apart from the rest, and names the
    profile, which the samples a large file is known by may have missed.

    Raises
    ------
    SlideError
        If the file embeds no profile, or none that can be applied.
    """
    if not isinstance(reader, ProfiledReader) or reader.profile is None:
        raise SlideError(f"{name} embeds no ICC profile to correct its colours by.", _REMEDY)
    reader.recolour(to_srgb(reader.profile, name))
    return f"+icc{hashlib.sha256(reader.profile).hexdigest()[:8]}"

"""What the arrays behind the scatter hold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Colours = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
#: Colours as ``0xFFRRGGBB``, the layout that Qt calls ``Format_RGB32``.
Packed = npt.NDArray[np.uint32]
Positions = npt.NDArray[np.float32]

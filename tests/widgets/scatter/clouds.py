from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_scalescope.widgets.scatter.camera import Camera
from napari_scalescope.widgets.scatter.cloud import PointCloud

DARK = (20, 22, 24)
coordinates = st.floats(-1000, 1000, width=32)
some_points = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 60), st.just(2)), elements=coordinates
)


def camera_of(cloud, width=120, height=80, margin=6.0):
    return Camera.fit(cloud.bounds, width, height, (margin,) * 4)


def coloured(rng, xy):
    return PointCloud(xy, rng.integers(100, 256, (len(xy), 3), np.uint8))

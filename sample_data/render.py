"""Render the sample slide and its regions again: ``python sample_data/render.py``.

Takes about a minute. The phantom is deterministic, so the picture stays the same until the
generator changes.
"""

from pathlib import Path

from napari_scalescope import export, phantom
from napari_scalescope.exchange.tiff import write_pyramidal_tiff

HERE = Path(__file__).parent

slide = phantom((8000, 6000), seed=3, mpp=0.5)
write_pyramidal_tiff(slide, HERE / "phantom.tif", quality=68)
export(slide.truth_regions(min_area_mm2=0.002, mpp=4.0), HERE / "phantom.geojson")

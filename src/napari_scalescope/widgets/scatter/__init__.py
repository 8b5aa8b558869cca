"""The scatter of the embedding map: up to a million points to look at, point at and select.

Drawn by the CPU into a `QImage`, because a second OpenGL canvas in a dock is what plugins crash
on, and because colours change more often here than the view does.

`camera`, `cloud`, `picking`, `raster` and `kernels` are arithmetic on flat arrays and know no Qt.
On top of them `plot` is what is shown, `picture` paints it with what `overlay` writes over it,
`mouse` and `keyboard` say what the user wants, `canvas` is the widget, and `view` what others see
of it.
"""

from .view import ScatterView

__all__ = ["ScatterView"]

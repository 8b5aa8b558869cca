"""ScaleScope shows what a pathology encoder sees in a whole-slide image, at every magnification.

The public interface is listed in ``__init__.pyi``. Its names are imported when first used, so
that importing the package costs almost nothing and brings in neither torch nor Qt.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

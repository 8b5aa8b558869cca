from __future__ import annotations

from ..widgets.conftest import viewer

__all__ = ["viewer"]

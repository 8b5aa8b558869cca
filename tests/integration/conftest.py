from __future__ import annotations

from ..widgets.conftest import encoder, settle

__all__ = ["encoder", "settle"]

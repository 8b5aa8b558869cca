from __future__ import annotations

import pytest

from napari_scalescope.widgets.scatter.wording import short


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (9_999, "9\xa0999"), (10_000, "10k"), (999_499, "999k"), (1_234_567, "1.2M")],
)
def test_short_counts(number, text):
    assert short(number) == text

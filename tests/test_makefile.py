"""`make demo` hands on what it was given."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
@pytest.mark.parametrize("slide", ["", "my slide.svs", 'it\'s "mine".svs'])
def test_a_slide_with_spaces_in_its_name_is_one_slide(tmp_path: Path, slide: str) -> None:
    command = tmp_path / "bin" / "scalescope"
    command.parent.mkdir()
    command.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    command.chmod(0o755)
    (tmp_path / ".ready").touch()
    given = [f"SLIDE={slide}"] if slide else []
    done = subprocess.run(
        ["make", "--silent", "-C", ROOT, "demo", f"VENV={tmp_path}", *given],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "".join(f"<{part}>" for part in ("demo", slide) if part) in done.stdout

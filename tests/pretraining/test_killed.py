"""A run killed at any instant goes on and ends with the very bits of one that was not."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from napari_scalescope.pretraining.train import CHECKPOINT

ROOT = Path(__file__).parents[2]
RUN = """
import sys
from pathlib import Path
from napari_scalescope.pretraining.train import Trainer
from tests.pretraining.small import Colours, recipe, tissue
trainer = Trainer(recipe(24), [tissue(1024)[0]], Path(sys.argv[1]), Colours(), "cpu")
print("from", trainer.step, flush=True)
trainer.run(every=2)
"""


def start(out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(out)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_killed_twice(tmp_path: Path) -> None:
    whole, parts = start(tmp_path / "whole"), start(tmp_path / "parts")
    # not seeded: the instant is to differ from one test run to the next
    for saved in (1, 5):
        checkpoint, seen = tmp_path / "parts" / CHECKPOINT, set()
        while len(seen) < saved:
            assert parts.poll() is None, "it ended before it was killed"
            if checkpoint.exists():
                seen.add(checkpoint.stat().st_mtime_ns)
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.3))
        parts.send_signal(signal.SIGKILL)
        parts.communicate()
        parts = start(tmp_path / "parts")
    said, _ = parts.communicate()
    assert int(said.split()[1]) >= 8
    assert parts.returncode == 0
    whole.communicate()
    a, b = (
        torch.load(tmp_path / name / CHECKPOINT, weights_only=True) for name in ("whole", "parts")
    )
    assert a["step"] == b["step"] == 24
    for part in ("student", "average", "heads"):
        assert all(torch.equal(a[part][k], b[part][k]) for k in a[part])

"""Run every benchmark: ``make bench``."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import tests.benchmarks as here

status = 0
for module in pkgutil.iter_modules(here.__path__):
    if not module.name.startswith("_"):
        print(f"== {module.name}", flush=True)
        status |= subprocess.run(
            [sys.executable, "-m", f"tests.benchmarks.{module.name}"]
        ).returncode
raise SystemExit(status)

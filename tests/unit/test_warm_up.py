from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
from mist.warm_up import is_warm, warm_up
before = is_warm(to_encode=False), is_warm(to_encode=True)
warm_up(to_encode=False)
print(*before, is_warm(to_encode=False), is_warm(to_encode=True))
"""


def run(cache: Path) -> str:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", SCRIPT]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def test_what_was_compiled_once_is_found_by_the_next_process(tmp_path: Path) -> None:
    assert run(tmp_path).split() == ["False", "False", "True", "False"]
    assert run(tmp_path).split() == ["True", "False", "True", "False"]

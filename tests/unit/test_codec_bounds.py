from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_damaged_blocks_read_and_write_nothing_beyond_an_array() -> None:
    command = [sys.executable, "-m", "tests.fuzz.fuzz_block_decoder", "--count", "500"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "500 damaged blocks" in run.stdout

"""The client alone, in a process where what it must not need cannot be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"aiohttp", "boto3", "botocore", "monai", "nibabel", "pydicom", "torch"}:
            raise ModuleNotFoundError(f"{name} was imported", name=name)

sys.meta_path.insert(0, Absent())
import mist_client
print(mist_client.open(sys.argv[1])["ct-0"].read(level=2).voxels.shape)
"""


def test_the_client_reads_where_no_server_ingest_or_framework_is_installed(folder: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.returncode) == ("(20, 24, 20)\n", 0), done.stderr

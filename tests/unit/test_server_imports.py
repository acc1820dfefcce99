from __future__ import annotations

import subprocess
import sys


def test_the_server_imports_no_framework_no_source_format_and_no_administration() -> None:
    code = "import sys, mist.server.run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert set(done.stdout.split()).isdisjoint({"torch", "monai", "pydicom", "boto3", "nibabel", "tifffile"})

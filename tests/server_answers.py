"""What a server of the dataset `small` answers."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from tests.server_dataset import Answer, RunningServer, SmallDataset

SMALL = "/v1/datasets/small"


def image(server: RunningServer, scan_id: str, query: str) -> Answer:
    answer = server.ask(f"{SMALL}/scans/{scan_id}/image?{query}")
    assert answer.status == 200, answer.body
    return answer


def npy(server: RunningServer, scan_id: str, query: str = "") -> npt.NDArray[np.generic]:
    found: npt.NDArray[np.generic] = np.load(io.BytesIO(image(server, scan_id, f"format=npy&{query}".rstrip("&")).body))
    return found


def problem(answer: Answer, status: int) -> str:
    """What a refusal says."""
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert answer.json["status"] == status
    detail: str = answer.json["detail"]
    return detail


def blocks_path(small: SmallDataset, scan_id: str) -> str:
    return f"{SMALL}/store/scans/{scan_id}/{small.rows[scan_id].digest}/c/0/0/0/0"

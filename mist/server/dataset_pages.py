"""What there is: the datasets, and what one of them holds."""

from __future__ import annotations

from urllib.parse import quote

from mist.server.asked import Asked
from mist.server.reply import REVALIDATE, Reply, json_reply
from mist.server.shelf import OpenDataset, Shelf


def list_datasets(shelf: Shelf, asked: Asked) -> Reply:
    """All datasets: `{"datasets": [{"name", "links"}]}`."""
    asked.parameters()
    found = [{"name": name, "links": {"self": dataset_path(name)}} for name in shelf.root.names()]
    return json_reply(asked, {"datasets": found}, REVALIDATE)


def describe_dataset(shelf: Shelf, asked: Asked) -> Reply:
    """One dataset: its version, how many scans of which modality, its columns, its size, what it spares."""
    asked.parameters()
    dataset = shelf.dataset(asked.parts["dataset"])
    return json_reply(asked, _description(dataset), dataset.cache_control)


def dataset_path(name: str) -> str:
    """The path of a dataset's page; `name` may pin a version."""
    return f"/v1/datasets/{quote(name, safe='@')}"


def _description(dataset: OpenDataset) -> dict[str, object]:
    frame, path = dataset.catalog.frame, dataset_path(dataset.name)
    modalities = frame["modality"].value_counts(sort=True)
    return {
        "name": dataset.name,
        "version": dataset.catalog.version,
        "scans": len(dataset.catalog),
        "modalities": dict(modalities.iter_rows()),
        "columns": [{"name": name, "type": str(dtype)} for name, dtype in frame.schema.items() if name != "header"],
        "source_bytes": frame["source_bytes"].sum(),
        "stored_bytes": frame["stored_bytes"].sum(),
        "links": {"self": path, "scans": f"{path}/scans", "store": f"{path}/store"},
    }

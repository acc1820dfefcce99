"""Which scans there are, page by page, and what is known of one of them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

import polars as pl

from mist.delivery.parameter import BadQuery, whole_number
from mist.errors import InvalidRequest
from mist.scan import ScanHeader
from mist.server.asked import Asked
from mist.server.dataset_pages import dataset_path
from mist.server.reply import Reply, json_reply
from mist.server.shelf import OpenDataset, Shelf
from mist_storage.catalog import RESERVED_COLUMNS, Catalog, CatalogRow
from mist_storage.keys import BLOCKS, SOURCE, ZARR_JSON, scan_key

DEFAULT_LIMIT = 100
"""Scans on a page that asks for no number."""

LARGEST_LIMIT = 1000
"""The most scans on a page: about a megabyte."""

_LISTED = ("scan_id", "modality", "body_part", "axes", "shape", "spacing_mm", "dtype", "mask", "mask_of")


def list_scans(shelf: Shelf, asked: Asked) -> Reply:
    """A page of scans, sorted by id, and the cursor of the next page, which is null on the last one.

    The cursor holds while the dataset grows; for a list that does not change, pin the version.
    """
    parameters = asked.parameters("where", "limit", "cursor")
    limit, after = _limit(parameters), _after(parameters)
    dataset = shelf.dataset(asked.parts["dataset"])
    catalog = _matching(dataset.catalog, parameters["where"]) if "where" in parameters else dataset.catalog
    rest = catalog.frame.filter(pl.col("scan_id") > after)
    shown = rest.head(limit).to_dicts()
    cursor = _cursor(shown[-1]["scan_id"]) if rest.height > limit else None
    page = {
        "version": dataset.catalog.version,
        "matched": len(catalog),
        "scans": [_listed(dataset, row) for row in shown],
        "next_cursor": cursor,
        "links": _page_links(dataset, parameters, cursor),
    }
    return json_reply(asked, page, dataset.cache_control)


def describe_scan(shelf: Shelf, asked: Asked) -> Reply:
    """One scan: geometry, levels, labels, and where to get it."""
    asked.parameters()
    dataset = shelf.dataset(asked.parts["dataset"])
    row = dataset.row(asked.parts["scan"])
    return json_reply(asked, _description(dataset, row), dataset.cache_control)


def _limit(parameters: Mapping[str, str]) -> int:
    limit = whole_number("limit", parameters.get("limit", str(DEFAULT_LIMIT)))
    if not 1 <= limit <= LARGEST_LIMIT:
        raise InvalidRequest(f"limit must be 1 to {LARGEST_LIMIT} scans, not {limit}")
    return limit


def _matching(catalog: Catalog, condition: str) -> Catalog:
    """The scans for which `condition` holds; `InvalidRequest` even where the query engine panics."""
    try:
        return catalog.where(condition)
    except pl.exceptions.PanicException:  # no Exception: it would pass by every handler
        raise InvalidRequest(f"{condition!r} is not a condition that the query engine can work out") from None


def _cursor(scan_id: str) -> str:
    return base64.urlsafe_b64encode(scan_id.encode()).decode().rstrip("=")


def _after(parameters: Mapping[str, str]) -> str:
    """The id after which the page begins; empty for the first page."""
    text = parameters.get("cursor", "")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise BadQuery(f"cursor is what a page before gave as next_cursor, not {text!r}") from None


def _page_links(dataset: OpenDataset, parameters: Mapping[str, str], cursor: str | None) -> dict[str, str]:
    if cursor is None:
        return {}
    return {"next": f"{dataset_path(dataset.name)}/scans?{urlencode({**parameters, 'cursor': cursor})}"}


def _listed(dataset: OpenDataset, row: Mapping[str, Any]) -> dict[str, object]:
    """A scan on a page, from its columns alone: parsing a thousand headers would take a second."""
    labels = {name: value for name, value in row.items() if name not in RESERVED_COLUMNS}
    levels = zip(row["level_shapes"], row["level_end_bytes"], strict=True)
    return {
        "id": row["scan_id"],
        **{name: row[name] for name in _LISTED if name != "scan_id"},
        "levels": [{"level": n, "shape": shape, "end_byte": end} for n, (shape, end) in enumerate(levels)],
        "labels": labels,
        "links": {"self": _scan_path(dataset, row["scan_id"])},
    }


def _description(dataset: OpenDataset, row: CatalogRow) -> dict[str, object]:
    header = row.header
    return {
        "id": row.scan_id,
        "digest": row.digest,
        "axes": header.axes,
        "shape": header.shape,
        "dtype": header.samples.dtype,
        "geometry": _geometry(header),
        "rescale": asdict(header.rescale),
        "display": asdict(header.display),
        "wavelet": header.wavelet,
        "levels": [asdict(header.level_info(level)) for level in range(len(header.levels))],
        "modality": row.modality,
        "body_part": row.body_part,
        "labels": row.labels,
        "mask": row.mask,
        "mask_of": row.mask_of,
        "source_bytes": row.source_bytes,
        "stored_bytes": row.stored_bytes,
        "links": _scan_links(dataset, row),
    }


def _geometry(header: ScanHeader) -> dict[str, object]:
    """Affine of (z, y, x) to LPS, how much of it is known, spacing along (z, y, x)."""
    geometry = header.geometry
    return {"affine": geometry.affine.tolist(), "space": geometry.space.value, "spacing": geometry.spacing}


def _scan_links(dataset: OpenDataset, row: CatalogRow) -> dict[str, str]:
    path, store = _scan_path(dataset, row.scan_id), f"{dataset_path(dataset.name)}/store"
    objects = {"blocks": BLOCKS, "zarr": ZARR_JSON, "source": SOURCE}
    stored = {name: f"{store}/{scan_key(row.scan_id, row.digest, key)}" for name, key in objects.items()}
    masks = {"mask": row.mask, "mask_of": row.mask_of}
    tied = {name: _scan_path(dataset, scan_id) for name, scan_id in masks.items() if scan_id}
    return {"self": path, "image": f"{path}/image", **stored, **tied}


def _scan_path(dataset: OpenDataset, scan_id: str) -> str:
    return f"{dataset_path(dataset.name)}/scans/{scan_id}"

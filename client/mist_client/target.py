"""A label column as the numbers that a loss takes.

The rule: text, and anything for which classes are named, becomes the index of its class; other numbers stay numbers.
What no loss could take is refused before training starts. Knows no framework.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from mist.errors import InvalidRequest
from mist_client.dataset import Dataset
from mist_client.scan import Scan
from mist_storage.catalog import Label


@dataclass(frozen=True, slots=True)
class Target:
    """A label column and its classes."""

    column: str
    classes: tuple[Label, ...] | None
    """The values that have an index; None where the values are numbers to be taken as they are."""

    @classmethod
    def for_dataset(cls, dataset: Dataset, column: str, classes: Sequence[Label] | None) -> Self:
        """The target `column` of all scans of `dataset`; text without `classes` has those of `Dataset.classes`.

        Raises
        ------
        InvalidRequest
            There is no such column, a scan has no value in it, or one that is not among the classes.
        """
        values = dataset.column(column)
        if classes is None and any(isinstance(value, str) for value in values):
            classes = dataset.classes(column)
        target = cls(column, None if classes is None else tuple(classes))
        for scan_id, value in zip(dataset.scan_ids, values, strict=True):
            target._check(scan_id, value)
        return target

    def of(self, scan: Scan) -> int | float:
        """The scan's target: the index of its class, or its number."""
        value = scan.labels[self.column]
        self._check(scan.id, value)
        if self.classes is not None:
            return self.classes.index(value)
        return value if isinstance(value, float) else int(value)  # type: ignore[arg-type]  # text has classes

    def _check(self, scan_id: str, value: Label) -> None:
        if value is None:
            remedy = f'dataset.where("{self.column} IS NOT NULL")'
            raise InvalidRequest(
                f"scan {scan_id!r} has no value in column {self.column!r}; choose those that do: {remedy}"
            )
        if self.classes is not None and value not in self.classes:
            named = ", ".join(map(repr, self.classes))
            raise InvalidRequest(
                f"scan {scan_id!r} has {self.column} {value!r}, which is not among the classes: {named}"
            )

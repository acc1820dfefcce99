"""The process's environment, set to one store of AWS's kind and to nothing else of AWS."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest


def set_environment(patch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    """Set what `variables` say, and nothing else of AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    for name, value in variables.items():
        patch.setenv(name, value)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """The process's environment with `variables`, and without what else there is of AWS, during a block."""
    with pytest.MonkeyPatch.context() as patch:
        set_environment(patch, variables)
        yield

"""What a client asked, as data: the part of an HTTP request that answers are made from.

The rule: a parameter that the route does not know is refused rather than ignored, because a misspelt `levl=2` would
otherwise send the whole scan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from mist.delivery.parameter import BadQuery


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Parameters
    ----------
    method
        `GET` or `HEAD`.
    path
        The path as it came, percent-encoded.
    parts
        The variable parts of the path, decoded, by name.
    query
        The parameters, decoded, in their order.
    headers
        The header fields; looking one up ignores case.
    """

    method: str
    path: str
    parts: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]

    def parameters(self, *allowed: str) -> dict[str, str]:
        """The query's parameters by name.

        Raises
        ------
        BadQuery
            One is not among `allowed`, or is given twice.
        """
        counts = Counter(name for name, _ in self.query)
        for name, count in counts.items():
            if name not in allowed:
                known = f"those that it takes are {', '.join(allowed)}" if allowed else "it takes none"
                raise BadQuery(f"this resource takes no parameter {name!r}; {known}")
            if count > 1:
                raise BadQuery(f"the parameter {name!r} is given {count} times; give it once")
        return dict(self.query)

"""Every request of an ingest, a read, a withdrawal ... fails in every way that a wire can fail, one after the other.

    python -m tests.fuzz.wire_faults --every 1 --acts ingest read

Real clients (obstore, Delta Lake, boto3) talk to a real S3 server (SeaweedFS) through `tests.fault_proxy`. An act is
counted in requests, then done anew for each request and each fault, once and for good. It must be done, or end in a
`MistError` and be done when it is repeated over a sound wire; and in the end the objects must be those of an act that
nothing has disturbed. What else happens is printed, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from mist.errors import MistError
from mist_storage.buckets import ensure_bucket
from mist_storage.store import open_store
from tests.aws_environment import environment
from tests.fault_proxy import Plan, WireFault, exchange, fault_proxy
from tests.faulty_store import contents
from tests.seaweedfs import serving
from tests.wire_acts import ACTS, Act, make_source

IMPATIENT = {"MIST_STORE_TIMEOUT_S": "0.6", "MIST_STORE_RETRIES": "2"}
"""A store that is silent is given up after about two seconds."""

MOST_SECONDS = 30.0
"""For one act on a busy machine: some requests may each be given up after their retries."""

DONE, REPEATED, FAILED = "done", "error, done when repeated", "FAILED"


@dataclass(frozen=True)
class Wire:
    """A store, and the proxy before it."""

    direct: dict[str, str]
    """The environment that leads to the store itself."""
    proxy: str
    """The proxy's address."""
    source: Path
    kept: dict[str, str] = field(default_factory=dict)
    """Addresses of datasets that are only read, by the act."""

    @property
    def through_proxy(self) -> dict[str, str]:
        """The environment that leads through the proxy."""
        return {**self.direct, **IMPATIENT, "AWS_ENDPOINT_URL": self.proxy}


@dataclass(frozen=True)
class Case:
    """One fault at one request of one act."""

    act: str
    fault: WireFault
    number: int
    is_lasting: bool
    operation: str
    """What the request asks for."""


@contextmanager
def wired(direct: dict[str, str], folder: Path) -> Iterator[Wire]:
    """A proxy before the store that `direct` names, and sources in `folder`."""
    port = urlsplit(direct["AWS_ENDPOINT_URL"]).port
    assert port is not None
    with fault_proxy(port) as proxy:
        yield Wire(direct, proxy, make_source(folder))


def operation(request: str) -> str:
    """What a request asks for, without names that differ from run to run."""
    method, _, target = request.partition(" ")
    path, _, query = target.partition("?")
    if "list-type" in query or ((method, path.count("/")) == ("GET", 1) and not query):
        return "LIST"
    if query:
        return f"{method} ?{query.partition('=')[0].partition('&')[0]}"
    name = "/".join(path.split("/")[3:])
    name = re.sub(r"scans/[^/]+/[0-9a-f]+/", "", name)
    name = re.sub(r"part-.*parquet", "rows", re.sub(r"withdrawals/.*", "withdrawals/", name))
    return f"{method} {re.sub(r'[0-9]{20}', 'N', name)}"


def requests_of(wire: Wire, act: str) -> list[str]:
    """What an act asks the store for, where nothing fails."""
    do, url = ACTS[act](wire.source), prepared(wire, act)
    exchange(wire.proxy, Plan())
    with environment(wire.through_proxy):
        do.do(url)
    return [operation(request) for request in exchange(wire.proxy, Plan())]


def prepared(wire: Wire, act: str) -> str:
    """The address of what an act is done to."""
    if act in wire.kept:
        return wire.kept[act]
    url, kind = fresh_url(wire, act), ACTS[act]
    with environment(wire.direct):
        kind(wire.source).prepare(url)
    if kind.is_reading:
        wire.kept[act] = url
    return url


def fresh_url(wire: Wire, act: str) -> str:
    """The address of an empty folder, in a bucket for this act: a bucket for each case would fill the server."""
    bucket = f"mist-wire-{act.replace(' ', '-')}"
    with environment(wire.direct):
        ensure_bucket(bucket)
    return f"s3://{bucket}/{uuid.uuid4().hex}"


def cases(wire: Wire, act: str, faults: Sequence[WireFault] = tuple(WireFault)) -> Iterator[Case]:
    """Every fault at every request of an act, once and for good."""
    requests = requests_of(wire, act)
    for fault in faults:
        for number, asked in enumerate(requests):
            for is_lasting in (False, True):
                yield Case(act, fault, number, is_lasting, asked)


def sample(wire: Wire, act: str) -> list[Case]:
    """Some of the cases of an act: each kind of request, each fault, once and for good by turns."""
    every = list(cases(wire, act))
    operations = list(dict.fromkeys(case.operation for case in every))
    faults = list(WireFault)
    pairs = [
        (operations[turn % len(operations)], faults[turn % len(faults)])
        for turn in range(max(len(operations), len(faults)))
    ]
    return [
        next(case for case in every if (case.operation, case.fault, case.is_lasting) == (*pair, bool(turn % 2)))
        for turn, pair in enumerate(pairs)
    ]


def outcome(wire: Wire, case: Case) -> str:
    """What becomes of a case, `FAILED` and why where that is not what may become of it."""
    act, url = ACTS[case.act](wire.source), prepared(wire, case.act)
    exchange(wire.proxy, Plan(case.fault, case.number, case.is_lasting))
    begin = time.monotonic()
    try:
        with environment(wire.through_proxy):
            error = _error(act, url)
        took = time.monotonic() - begin
        if took > MOST_SECONDS:
            return f"{FAILED}: took {took:.0f} s"
        with environment(wire.direct):
            return _settled(act, url, error)
    except Exception as failure:  # noqa: BLE001 - whatever it is, it is the finding
        return f"{FAILED}: {type(failure).__name__}: {str(failure)[:300]}"


def _error(act: Act, url: str) -> MistError | None:
    try:
        act.do(url)
    except MistError as error:
        return error
    return None


def _settled(act: Act, url: str, error: MistError | None) -> str:
    """What an act came to, after it was repeated where it failed."""
    if error is not None and "\n" in str(error):
        return f"{FAILED}: an error of several lines: {error!r}"
    act.check_between(url)
    if error is None:
        act.check_after(url)
    before = contents(open_store(url))
    act.do(url)
    act.check_after(url)
    act.check_between(url)
    if error is None and not act.is_same(before, contents(open_store(url))):
        return f"{FAILED}: done, and doing it again changed objects"
    return DONE if error is None else f"{REPEATED}: {type(error).__name__}"


def run(wire: Wire, chosen: Sequence[Case]) -> Counter[tuple[Case, str]]:
    """What became of each of the cases; failures are printed."""
    told: Counter[tuple[Case, str]] = Counter()
    for case in chosen:
        result = outcome(wire, case)
        told[case, result] += 1
        if result.startswith(FAILED):
            sys.stdout.write(f"{case}\n  {result}\n")
            sys.stdout.flush()
    return told


def main() -> int:
    """Run the command; its exit status comes back."""
    parser = argparse.ArgumentParser(description="faults on the wire between MIST and a real S3 server")
    parser.add_argument("--acts", nargs="+", choices=ACTS, default=list(ACTS), help="what is done")
    parser.add_argument("--faults", nargs="+", choices=[fault.value for fault in WireFault], help="what goes wrong")
    parser.add_argument("--every", type=int, default=1, help="of all cases, take every N-th")
    options = parser.parse_args()
    faults = [fault for fault in WireFault if not options.faults or fault.value in options.faults]
    told: Counter[tuple[Case, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="mist-wire-") as name:
        (Path(name) / "store").mkdir()
        with serving(Path(name) / "store") as direct, wired(direct, Path(name) / "source") as wire:
            for act in options.acts:
                begin = time.monotonic()
                told += run(wire, list(cases(wire, act, faults))[:: options.every])
                sys.stdout.write(f"{act}: {time.monotonic() - begin:.0f} s\n")
                sys.stdout.flush()
    _say(told)
    return int(any(result.startswith(FAILED) for _, result in told))


def _say(told: Counter[tuple[Case, str]]) -> None:
    """Print how often each fault of each act came to what."""
    rows = Counter(
        (case.act, case.fault.value, "for good" if case.is_lasting else "once", result) for case, result in told
    )
    for (act, fault, how, result), times in sorted(rows.items()):
        sys.stdout.write(f"{times:5} {act:14} {fault:22} {how:9} {result}\n")
    sys.stdout.write(f"{len(told)} cases, {len({(case.act, case.operation) for case, _ in told})} kinds of request\n")


if __name__ == "__main__":
    sys.exit(main())

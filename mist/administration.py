"""What `mist verify`, `mist gc`, `mist rm` and `mist log` do and say.

The rule: what is about to be lost is said before it is, and nothing is removed by a dry run or without a yes.
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from mist.console import confirmed, note, progress, say, say_json, say_table, size
from mist.errors import DatasetNotFound, InvalidRequest
from mist_storage.address import Address, require_folder
from mist_storage.catalog_check import catalog_problems
from mist_storage.catalog_commit import require_writable
from mist_storage.dataset import open_dataset, split_version
from mist_storage.garbage import Garbage, find_garbage, remove_garbage
from mist_storage.history import Version, history
from mist_storage.problem import Depth, Problem
from mist_storage.store import ObjectStore, open_store
from mist_storage.verify import verify_scans
from mist_storage.withdrawal import Withdrawal, carry_out, plan_withdrawal, withdrawals

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

SHOWN_SCANS = 20
"""Scans named in a question or a table; `--json` has them all."""


def administered(dataset_url: str) -> ObjectStore:
    """The store of a dataset that is to be changed.

    Raises
    ------
    InvalidRequest
        The address names a version, or cannot be written to.
    DatasetNotFound
        There is no such folder.
    """
    if split_version(dataset_url)[1] is not None:
        raise InvalidRequest(
            f"{dataset_url} names a version, and all versions are cared for at once; leave out the @ and the number"
        )
    return _store(dataset_url)


def age(text: str) -> timedelta:
    """The length of time in `text`, such as `90m`, `24h` or `7d`; `0` is none at all.

    Raises
    ------
    InvalidRequest
        It is none.
    """
    match = re.fullmatch(r"(\d{1,6})([smhd])|0()", text.strip())
    if match is None:
        raise InvalidRequest(f"an age is a whole number of s, m, h or d, such as 24h or 7d, not {text!r}")
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match[1] else timedelta()


def verify_dataset(dataset_url: str, depth: Depth, *, as_json: bool) -> bool:
    """Check a dataset, and its catalog where bytes are read; say what is wrong; whether nothing is."""
    dataset = open_dataset(dataset_url)
    reads = depth in (Depth.DIGEST, Depth.DECODE)
    catalog = [*catalog_problems(open_store(dataset.url))] if reads else []
    problems: list[Problem] = []
    with progress("verify") as advance:
        for done, (scan_id, bad) in enumerate(verify_scans(dataset.store, dataset.catalog, depth), start=1):
            problems += bad
            advance(done, len(dataset.catalog), scan_id)
    found: list[dict[str, object]] = [{"scan": None, "level": None, "problem": problem} for problem in catalog]
    found += [{"scan": problem.scan_id, "level": problem.level, "problem": problem.reason} for problem in problems]
    if as_json:
        say_json({"scans": len(dataset.catalog), "depth": depth, "problems": found})
    elif found:
        say_table("Problems", found, folded="problem")
    else:
        say(_SOUND[depth].format(len(dataset.catalog)))
    return not found


_SOUND = {
    Depth.PRESENT: "the objects of all {} scans are there; what they hold was not looked at",
    Depth.SIZE: "the objects of all {} scans are there and have their sizes; what they hold was not looked at",
    Depth.DIGEST: "every byte of all {} scans fits its digest",
    Depth.DECODE: "all {} scans are whole",
}


def collect_garbage(store: ObjectStore, grace: timedelta, *, dry_run: bool, as_json: bool) -> None:
    """Remove what no version names and is older than `grace`, and say how much it was."""
    found = find_garbage(store, datetime.now(UTC) - grace)
    freed = 0
    if not dry_run:
        with progress("gc") as advance:
            freed = remove_garbage(store, found, advance)
    if as_json:
        say_json(_garbage_json(found, freed, dry_run=dry_run))
        return
    objects, bytes_ = len(found.objects), size(found.bytes if dry_run else freed)
    say(f"{objects} orphaned objects, {bytes_}, would be removed" if dry_run else f"{objects} objects, {bytes_}, freed")
    if found.younger:
        note(f"{found.younger} more are younger than the grace period, and stay for now")


def withdraw_scans(  # noqa: PLR0913 - each is an option of the command
    store: ObjectStore, scan_ids: Sequence[str], reason: str, *, yes: bool, dry_run: bool, as_json: bool
) -> bool:
    """Withdraw scans and their masks; whether all that was asked for was done."""
    plan = plan_withdrawal(store, scan_ids, getpass.getuser(), reason)
    if plan.finished:
        _say_withdrawal(plan, f"nothing is left of them: they were withdrawn at {plan.finished}", as_json=as_json)
        return True
    names = ", ".join(plan.scan_ids[:SHOWN_SCANS]) + (" ..." if len(plan.scan_ids) > SHOWN_SCANS else "")
    what = f"{len(plan.scan_ids)} scans ({names})"
    if dry_run:
        _say_withdrawal(plan, f"{what} would leave every version of {store.url}", as_json=as_json)
        return True
    if not (yes or confirmed(f"Remove {what} from every version of {store.url} for good?")):
        note("nothing was removed")
        return False
    with progress("rm") as advance:
        done = carry_out(store, plan, advance)
    _say_withdrawal(done, f"{what} left every version of {store.url}; recorded in {done.key}", as_json=as_json)
    return True


def say_history(dataset_url: str, *, as_json: bool) -> None:
    """Print the versions up to the one that the address names, and the withdrawals, the oldest first."""
    url, last = split_version(dataset_url)
    store = _store(url)
    versions, records = history(store), withdrawals(store)
    if last is not None and last >= len(versions):
        raise DatasetNotFound(f"{store.url} has versions 0 to {versions[-1].number}, not {last}")
    chosen = versions if last is None else versions[: last + 1]
    if as_json:
        shown = [{**asdict(version), "time": version.time.isoformat()} for version in chosen]
        say_json({"versions": shown, "withdrawals": [asdict(record) for record in records]})
        return
    say_table(store.url, [_version_row(version) for version in chosen], right=_COUNTS)
    if records:
        say()
        say_table("Withdrawals", [_record_row(record) for record in records], folded="reason")


_COUNTS = ("version", "scans", "added", "replaced", "relabelled", "removed")


def _store(url: str) -> ObjectStore:
    address = Address.parse(url)
    require_writable(address)
    require_folder(address)
    return ObjectStore(address)


def _garbage_json(found: Garbage, freed: int, *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "objects": len(found.objects),
        "bytes": found.bytes if dry_run else freed,
        "younger": found.younger,
        "keys": [each.key for each in found.objects],
    }


def _say_withdrawal(withdrawal: Withdrawal, text: str, *, as_json: bool) -> None:
    if as_json:
        say_json(asdict(withdrawal))
    else:
        say(text)


def _version_row(version: Version) -> dict[str, object]:
    return {
        "version": version.number,
        "time": f"{version.time:%Y-%m-%d %H:%M:%S}",
        "what": version.did,
        "scans": version.scans,
        "added": len(version.added) or None,
        "replaced": len(version.replaced) or None,
        "relabelled": version.relabelled or None,
        "removed": len(version.removed) or None,
        "by": version.writer,
    }


def _record_row(record: Withdrawal) -> dict[str, object]:
    shown = " ".join(record.scan_ids[:SHOWN_SCANS])
    more = len(record.scan_ids) - SHOWN_SCANS
    return {
        "asked": record.asked,
        "finished": record.finished or "NOT FINISHED: run mist rm again",
        "version": record.version,
        "who": record.who,
        "scans": f"{shown} and {more} more" if more > 0 else shown,
        "reason": record.reason,
    }

"""What `mist publish` does and says.

The rule: what becomes public is said before it does, and nothing becomes public without a yes. It is done when a client
without credentials has read what it should, and failed at all that it should not do.
"""

from __future__ import annotations

import json

from mist.console import complain, confirmed, note, say, say_json, size
from mist_storage.catalog_row import RESERVED_COLUMNS
from mist_storage.public_access import SETTLING_S, public_url
from mist_storage.publication import (
    BucketSettings,
    Publication,
    excess,
    excess_when_closed,
    plan_publication,
    publish,
    unpublish,
)
from mist_storage.store import ObjectStore

_OF_A_FOLDER = "a folder has no policy: who may read it, and CORS, are up to the web server"


def publish_dataset(store: ObjectStore, *, with_sources: bool, yes: bool, dry_run: bool, as_json: bool) -> bool:
    """Publish the newest version; whether all that was asked for was done."""
    plan = plan_publication(store, with_sources=with_sources)
    if dry_run:
        _say_plan(plan, as_json=as_json)
        return True
    if not (plan.is_done or yes or confirmed(f"Make public? {what_becomes_public(plan)}")):
        note("nothing was published")
        return False
    version = plan.catalog.version if plan.is_done else publish(plan)
    found = excess(plan, 0 if plan.is_done else SETTLING_S)
    if as_json:
        say_json({**_facts(plan), "version": version, "changed": not plan.is_done, "excess": found})
    else:
        say(f"{store.url} is published in version {version}" + (", as it was" if plan.is_done else ""))
        note(f"anybody reads it at {_place(plan)}" if plan.before is not None else _OF_A_FOLDER)
    return _is_exact(found)


def unpublish_dataset(store: ObjectStore, *, dry_run: bool, as_json: bool) -> bool:
    """Close a dataset that was published; whether all that was asked for was done."""
    if dry_run:
        say_json({"url": store.url, "dry_run": True}) if as_json else say(f"{store.url} would be published no more")
        return True
    is_changed = unpublish(store)
    found = excess_when_closed(store, SETTLING_S if is_changed else 0)
    if as_json:
        say_json({"url": store.url, "changed": is_changed, "excess": found})
    else:
        say(f"{store.url} is published no more" if is_changed else f"{store.url} was not published")
        note("what was read before stays with those who read it")
    return _is_exact(found)


def what_becomes_public(plan: Publication) -> str:
    """One line that says what anybody will be able to read."""
    frame = plan.catalog.frame
    labels = [name for name in frame.columns if name not in RESERVED_COLUMNS]
    columns = f"the label columns {', '.join(labels)}" if labels else "no label columns"
    sources = (
        "all headers of the source files, names of patients in them included"
        if plan.with_sources
        else "not the headers of the source files"
    )
    return (
        f"{plan.store.url}, version {plan.catalog.version}: the images and masks of {frame.height} scans at full "
        f"resolution ({size(_stored_bytes(plan))}) with all that is written in them, their ids, geometry, "
        f"modality and body part, {columns}; {sources}. Anybody may copy it and keep it."
    )


def _is_exact(found: list[str]) -> bool:
    if found:
        complain(
            f"anybody can {', '.join(found)}: another statement of the bucket's policy, or an ACL, permits it; "
            "take that away and run it again"
        )
    return not found


def _stored_bytes(plan: Publication) -> int:
    return int(plan.catalog.frame["stored_bytes"].sum())


def _place(plan: Publication) -> str:
    return plan.store.url if plan.before is None else public_url(plan.address)


def _facts(plan: Publication) -> dict[str, object]:
    return {
        "url": plan.store.url,
        "public_url": None if plan.before is None else public_url(plan.address),
        "version": plan.catalog.version,
        "published_version": plan.published,
        "scans": len(plan.catalog),
        "stored_bytes": _stored_bytes(plan),
        "columns": plan.catalog.frame.columns,
        "with_sources": plan.with_sources,
    }


def _say_plan(plan: Publication, *, as_json: bool) -> None:
    if as_json:
        say_json({**_facts(plan), "dry_run": True, **_documents(plan.after)})
        return
    say(f"would become public: {what_becomes_public(plan)}")
    if plan.after is None:
        note(_OF_A_FOLDER)
    else:
        say(f"address: {public_url(plan.address)}")
        for name, document in _documents(plan.after).items():
            say(f"{name}: {json.dumps(document)}")


def _documents(settings: BucketSettings | None) -> dict[str, object]:
    """The bucket's settings as they would be, by name."""
    return {} if settings is None else {"policy": settings.policy, "cors": settings.cors}

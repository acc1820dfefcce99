"""Store runtimes do not survive a fork.

The rule: whoever is about to use obstore or Delta Lake asks here first. Both run threads of their own, which a forked
child does not have: its first call would wait for ever, or panic.
"""

from __future__ import annotations

import os

from mist.errors import StoreError

_users: set[int] = set()
"""The process whose store runtimes have been started, inherited by its forked children; at most one."""


def refuse_after_fork() -> None:
    """Return in a process that may use stores, and remember it.

    Raises
    ------
    StoreError
        The process was forked from one that had used a store.
    """
    _users.add(os.getpid())
    if len(_users) > 1:
        _users.discard(os.getpid())
        raise StoreError(
            "a store that was used before a fork cannot be used after it; start worker processes by 'forkserver' or "
            "'spawn', as in DataLoader(..., multiprocessing_context='forkserver')"
        )

"""How many files and sockets a process may have open: the soft limit is often 1,024, whatever the process could have."""

from __future__ import annotations

import resource


def allow(wanted: int) -> int:
    """Raises the soft limit to `wanted`, as far as the hard one lets it (setrlimit(2)); returns the limit that is then in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted if soft == resource.RLIM_INFINITY else soft
    ceiling = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if ceiling > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (ceiling, hard))
    return max(soft, ceiling)

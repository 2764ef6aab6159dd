"""How many versions of a cell's code are kept under one name."""

from __future__ import annotations

from nbcache.cache import Core, warn
from nbcache.superseded import old_versions

__all__ = ["delete_old_versions"]


def delete_old_versions(core: Core, name: str, notebook: str, keep: int) -> int:
    """Delete what `old_versions` finds; give how many there were."""
    try:
        known = core.store.by_name(name)
        return core.store.delete(old_versions(known, notebook, keep))
    except OSError as error:
        warn(f"old versions of {name!r} were not deleted: {error}")
        return 0

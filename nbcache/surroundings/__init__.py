"""What surrounds a run and outlives it: directory, environment, settings, threads."""

from __future__ import annotations

from nbcache.surroundings.settings import settings_kept
from nbcache.surroundings.watch import Watch, literals, prepared, watching

__all__ = ["Watch", "literals", "prepared", "settings_kept", "watching"]

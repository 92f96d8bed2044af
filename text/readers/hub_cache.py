"""Data sets of the Hub that were read before, out of the cache: of the commit that was asked for, and of no other.

`datasets` has a way to do so, which takes whatever it has read last of a set, of whichever branch.
"""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

from ...errors import InputError
from ..hub_access import Access


def read_cached(name: str, subset: str | None, revision: str | None, found: Access) -> dict[str, Any]:
    """Return the splits of a data set, as they were read before.

    Args:
        name: its id.
        subset: the configuration's name; None takes the only one, or the one named `default`.
        revision: a branch, tag or commit; None is the main branch.
        found: which commit that is, and why the Hub is not asked.

    Raises:
        InputError: if the cache does not hold it.
    """
    from datasets.packaged_modules.cache.cache import Cache

    places = [place for place in _places(name) if revision is None or place.name == found.commit]
    if found.commit is not None:
        places = [place for place in places if place.name == found.commit] or ([] if revision else places)
    subsets = sorted({place.parent.parent.name for place in places})
    wanted = subset or (subsets[0] if len(subsets) == 1 else "default")
    places = [place for place in places if place.parent.parent.name == wanted]
    if not places:
        others = f" (it holds: {', '.join(subsets)})" if subsets and not subset else ""
        raise InputError(f"the cache lacks it{others}, and {found.why}")
    place = max(places, key=lambda place: place.stat().st_mtime)
    builder = Cache(
        repo_id=name,
        dataset_name=name.rpartition("/")[2],
        config_name=wanted,
        version=place.parent.name,
        hash=place.name,
    )
    return dict(builder.as_dataset())


def commit_of(split: Any) -> str | None:
    """Return the commit that a split was read from, as the name of its folder in the cache has it; None of others.

    Args:
        split: of `datasets`.
    """
    files = getattr(split, "cache_files", None)
    name = Path(files[0]["filename"]).parent.name if files else ""
    return name if len(name) == 40 and not name.strip("0123456789abcdef") else None


def _places(name: str) -> list[Path]:
    """Return the folders of a data set in the cache: `owner___name/subset/version/commit`."""
    import datasets
    from datasets.naming import camelcase_to_snakecase

    *owner, last = name.split("/")
    root = os.path.join(datasets.config.HF_DATASETS_CACHE, "___".join([*owner, camelcase_to_snakecase(last)]))
    found = map(Path, glob.glob(os.path.join(glob.escape(root), "*", "*", "*")))
    return [place for place in found if (place / "dataset_info.json").is_file()]

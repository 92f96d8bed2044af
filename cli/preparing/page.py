"""The page of a prepared corpus: what was read, what was left out at which step, and what there is now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...storage.prepared import Manifest
from ...text.progress import spoken
from ..commands.nested_options import flat
from ..pages import render_page

if TYPE_CHECKING:
    from ...datamodules.preparing.made import Prepared

TEMPLATES = Path(__file__).with_name("templates")
STEPS = ("step", "documents in", "left out", "documents out")
REASONS = ("reason", "documents", "of all that were read")
SPLITS = ("split", "documents", "tokens", "tokens a document", "tokens a word", "unknown tokens", "shards")


def page_of(made: Prepared) -> str:
    """Return the page.

    Args:
        made: what was prepared, and in which time.
    """
    manifest = made.manifest
    read = manifest.steps[0].documents_in if manifest.steps else 0
    reasons = sorted(manifest.left_out.items(), key=lambda item: (-item[1], item[0]))
    return render_page(
        "preparation.html",
        TEMPLATES,
        title="Prepared corpus",
        lead=summary(manifest),
        notes=made.notes,
        split_names=SPLITS,
        splits=list(_splits(manifest)),
        step_names=STEPS,
        steps=[_step(step) for step in manifest.steps],
        reason_names=REASONS,
        reasons=[(reason, f"{count:,}", f"{count / max(1, read):.2%}") for reason, count in reasons],
        options=[(name, _plain(value)) for name, value in flat(manifest.options).items()],
        seconds=[(stage, spoken(seconds)) for stage, seconds in made.seconds.items()],
        facts=[
            ("vocabulary", f"{manifest.tokenizer.vocab_size:,}"),
            ("ids", manifest.dtype),
            ("separator", "none" if manifest.separator is None else str(manifest.separator)),
            ("fingerprint", manifest.fingerprint),
            *((f"made with {name}", version) for name, version in manifest.made_with.items()),
        ],
    )


def lines_of(made: Prepared) -> list[str]:
    """Return what the terminal says at the end."""
    manifest = made.manifest
    lines = [f"| {' | '.join(STEPS)} |", "|---|---:|---:|---:|"]
    lines += [f"| {' | '.join(map(str, _step(step)))} |" for step in manifest.steps]
    reasons = [f"{count:,} {reason}" for reason, count in manifest.left_out.items()]
    return [*lines, "", f"Left out: {', '.join(reasons) or 'nothing'}.", *made.notes, f"{summary(manifest)}."]


def summary(manifest: Manifest) -> str:
    """Return how much there is, in a sentence without its full stop."""
    parts = [
        f"{name}: {split.documents:,} documents, {split.tokens:,} tokens in {len(split.shards):,} shards"
        for name, split in manifest.splits.items()
    ]
    return "; ".join(parts)


def _splits(manifest: Manifest) -> Iterator[tuple[str, ...]]:
    for name, split in manifest.splits.items():
        tokens = max(1, split.tokens)
        yield (
            name,
            f"{split.documents:,}",
            f"{split.tokens:,}",
            f"{split.tokens / max(1, split.documents):,.1f}",
            f"{split.tokens / max(1, split.words):.2f}",
            f"{split.unknown / tokens:.2%}",
            f"{len(split.shards):,}",
        )


def _step(step: Any) -> tuple[str, str, str, str]:
    return step.step, f"{step.documents_in:,}", f"{sum(step.left_out.values()):,}", f"{step.documents_out:,}"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

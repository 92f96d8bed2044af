"""Where the time of a step goes: that of the operations themselves, by kind, as torch's profiler counts it."""

from __future__ import annotations

import torch
from torch.profiler import ProfilerActivity, profile

KINDS = {
    "loss": ("log_softmax", "logsoftmax", "nll_loss", "cross_entropy", "inpieces", "::exp_", "gather", "scatter"),
    "products of matrices": ("::mm", "::bmm", "::addmm", "::baddbmm", "::matmul", "::linear", "mkldnn_linear", "gemm"),
    "attention": ("scaled_dot_product", "flash", "fmha", "softmax"),
    "optimizer, clipping": ("adamw", "_foreach", "linalg_vector_norm", "clip"),
    "copies, casts, zeros": ("copy", "_to", "clone", "zero", "fill", "::cat", "memcpy", "memset"),
    "dropout": ("dropout", "bernoulli", "rand"),
    "norms": ("layer_norm", "layernorm"),
    "activations": ("gelu",),
    "embedding": ("embedding", "index", "sort"),
}
"""The first kind that has a piece of an operation's name."""
OTHERS = "others"
STEP = "Optimizer.step#"
"""What torch calls an optimizer's step: not an operation, and Lightning has forward and backward pass within it."""


class Operations:
    """Counts between two moments; both sides pay for the counting."""

    def __init__(self) -> None:
        activities = [ProfilerActivity.CPU]
        if torch.cuda.is_available():
            activities.append(ProfilerActivity.CUDA)
        self._profile = profile(activities=activities)

    def begin(self) -> None:
        """From here on."""
        self._profile.start()

    def end(self) -> dict[str, float]:
        """Milliseconds by kind, most first: of the GPU where there is one, else of the process."""
        self._profile.stop()
        found = dict.fromkeys([*KINDS, OTHERS], 0.0)
        for event in self._profile.key_averages():
            if event.key.startswith(STEP):
                continue
            own = event.self_device_time_total if torch.cuda.is_available() else event.self_cpu_time_total
            found[kind_of(event.key)] += own / 1000
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def kind_of(name: str) -> str:
    """The kind of an operation."""
    low = name.lower()
    return next((kind for kind, parts in KINDS.items() if any(part in low for part in parts)), OTHERS)

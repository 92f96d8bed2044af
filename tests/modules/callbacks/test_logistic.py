"""Logistic regression against scikit-learn's."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pretune.modules.callbacks.logistic import fit_logistic


def test_as_scikit_learn_has_it() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(90, 6, generator=generator, dtype=torch.float64) * torch.arange(1, 7) + 2
    y = (x @ torch.randn(6, 3, generator=generator, dtype=torch.float64)).argmax(-1)
    weight, bias = fit_logistic(x, y, 3, penalty=0.5)
    z = StandardScaler().fit_transform(x.numpy())
    theirs = LogisticRegression(C=1 / 0.5, tol=1e-10, max_iter=10_000).fit(z, y.numpy())
    probabilities = (x @ weight + bias).softmax(-1).numpy()
    np.testing.assert_allclose(probabilities, theirs.predict_proba(z), atol=1e-4)
    again = fit_logistic(x, y, 3, penalty=0.5)
    assert torch.equal(weight, again[0])
    assert torch.equal(bias, again[1])

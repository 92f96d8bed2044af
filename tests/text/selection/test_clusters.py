"""Clusters of what documents are about."""

from __future__ import annotations

import random

import numpy as np
import pytest

from pretune.text.selection.clusters import k_center, k_means, nearest_center, squared_distances
from pretune.text.selection.embedding import WordEmbedding, document_frequencies, rarity


def test_distances() -> None:
    rng = np.random.default_rng(0)
    points, centers = rng.normal(size=(50, 7)), rng.normal(size=(5, 7))
    by_hand = ((points[:, None] - centers) ** 2).sum(-1)
    assert np.allclose(squared_distances(points, centers), by_hand)
    assert squared_distances(points, points).diagonal().tolist() == [0.0] * 50
    whole = nearest_center(points, centers)
    assert whole.tolist() == [int(nearest_center(points[i : i + 1], centers)[0]) for i in range(50)]


def test_k_means_finds_clouds_as_scikit_learn_does() -> None:
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(1)
    points = np.concatenate([rng.normal(place, 0.3, (40, 3)) for place in (0, 5, -5, 10)])
    ours, theirs = k_means(points, 4, 0), KMeans(4, n_init=10, random_state=0).fit(points).cluster_centers_
    assert np.allclose(sorted(ours.tolist()), sorted(theirs.tolist()))


def test_k_center_by_hand() -> None:
    points = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [-20.0]])
    assert k_center(points, 3)[:, 0].tolist() == [1.0, -20.0, 11.0]  # the mean is 0.67


@pytest.mark.parametrize("count", [2, 5])
def test_no_more_centers_than_points_that_differ(count: int) -> None:
    points = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    assert len(k_means(points, count, 0)) == len(k_center(points, count)) == 2


@pytest.mark.parametrize("count", [90, 300])
def test_texts_on_one_subject_are_near(count: int) -> None:
    rng = random.Random(0)
    words = [[f"{subject}{i}" for i in range(60)] for subject in ("a", "b", "c")]
    common = [f"the{i}" for i in range(10)]
    texts = [" ".join(rng.choices(words[i % 3] + common * 3, k=60)) for i in range(count)]
    embed = WordEmbedding.of(texts, document_frequencies(texts, 10_000), len(texts))
    vectors = embed(texts)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert embed(texts[3:5]).tolist() == vectors[3:5].tolist()  # whichever others are with them
    clusters = nearest_center(vectors, k_means(vectors, 3, 0))
    assert [len(set(clusters[i::3].tolist())) for i in range(3)] == [1, 1, 1]
    assert len(set(clusters[:3].tolist())) == 3
    assert embed([""]).tolist() == [[0.0] * 32]


def test_a_word_in_every_document_says_nothing() -> None:
    weights = rarity(np.array([9, 1, 0]), 9)
    assert weights[0] == 0
    assert weights[1] == pytest.approx(np.log(5))


def test_directions_are_those_of_the_singular_values() -> None:
    texts = [" ".join(f"w{(i * i + j * (i % 7 + 1)) % 50}" for j in range(20)) for i in range(200)]
    embed = WordEmbedding.of(texts, document_frequencies(texts, 10_000), len(texts))
    rows = WordEmbedding(embed.weights, np.eye(10_000))(texts)
    exact = np.linalg.svd(rows)[2][:32]
    assert np.linalg.norm(rows @ embed.directions) == pytest.approx(np.linalg.norm(rows @ exact.T), rel=1e-4)
    assert np.allclose(embed.directions.T @ embed.directions, np.eye(32))


@pytest.mark.parametrize("texts", [["..."] * 3, ["a"], ["same words here"] * 9])
def test_nothing_to_tell_documents_apart(texts: list[str]) -> None:
    vectors = WordEmbedding.of(texts, document_frequencies(texts, 100), len(texts))(texts)
    assert vectors.sum() == 0
    assert len(k_means(vectors, 5, 0)) == 1

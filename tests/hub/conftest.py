"""A hub on the loopback interface, and people who read from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_user import User  # type: ignore[import-not-found]
from reading_server import ReadingServer  # type: ignore[import-not-found]
from running import running  # type: ignore[import-not-found]


@pytest.fixture(scope="session")
def server() -> Iterator[ReadingServer]:
    """A hub without a repository."""
    with running(ReadingServer()) as found:
        yield found


@pytest.fixture(scope="session")
def new_user(server: ReadingServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., User]]:
    """Return what makes somebody; given a folder, somebody with the files that another has read there."""
    people: list[User] = []

    def make(folder: Path | None = None, **environment: str) -> User:
        people.append(User(server.url, folder or tmp_path_factory.mktemp("user"), **environment))
        return people[-1]

    yield make
    for one in people:
        one.leave()


@pytest.fixture(scope="session")
def user(new_user: Callable[..., User]) -> User:
    """Somebody who has read nothing yet."""
    return new_user()


@pytest.fixture(autouse=True)
def _well(server: ReadingServer) -> None:
    """Each test begins with a server that is well and has seen nothing."""
    server.illnesses.clear()
    server.forget()

"""What an error of the Hugging Face Hub, or on the way to it, means to whoever reads from there."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import first_line

OFFLINE = "this process is to stay offline: unset $HF_HUB_OFFLINE and $TRANSFORMERS_OFFLINE to load it."
LOGIN = "`hf auth login` stores a token, $HF_TOKEN comes before it"


def meaning_of(error: BaseException, name: str, revision: str | None, kind: str = "model") -> str | None:
    """Return in a sentence or two why something of the Hub was not had, and what would work; None of other errors.

    Args:
        error: of any of the libraries that read from it.
        name: the id of the model or the data set.
        revision: the branch, tag or commit that was asked for; None is the main branch.
        kind: `model` or `dataset`.
    """
    from huggingface_hub import constants

    endpoint, found = constants.ENDPOINT, kinds(error)
    page = f"{endpoint}/{'datasets/' if kind == 'dataset' else ''}{name}"
    status = status_of(error)
    if "GatedRepoError" in found and status == 403:
        return f"it is gated, and the account of your token has no access to it: ask for it on {page}."
    if "GatedRepoError" in found:
        return f"it is gated: ask for access on {page}, then give a token of that account ({LOGIN})."
    if "RevisionNotFoundError" in found:
        return f"it has no branch, tag or commit {revision or 'main'!r}: {page}/tree/main shows those that there are."
    if "RepositoryNotFoundError" in found:
        return (
            f"{endpoint} has nothing of this name, or it is private: check the name; what is private takes a token "
            f"({LOGIN})."
        )
    if status == 401:
        return f"{endpoint} does not accept your token: {LOGIN}; what is public needs none."
    if status == 403:
        return f"the token has no right to read it: one that may read {page} is needed ({LOGIN})."
    if status == 429:
        return f"{endpoint} has had too many requests: wait some minutes, or give a token ({LOGIN})."
    if status is not None and status >= 500:
        return f"{endpoint} fails ({status}): try again later."
    if is_of_the_network(error):
        detail = _detail(error)
        return f"{endpoint} cannot be reached, or the connection broke{detail}: check the network and $HF_ENDPOINT."
    return None


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and those that led to it.

    Args:
        error: the last of them.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def kinds(error: BaseException) -> set[str]:
    """Return the names of all classes of an error, and of those that led to it."""
    return {kind.__name__ for one in chain(error) for kind in type(one).__mro__}


def status_of(error: BaseException) -> int | None:
    """Return the status that a server answered with, if one did."""
    for one in chain(error):
        status = getattr(getattr(one, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
    return None


def is_of_the_network(error: BaseException) -> bool:
    """Return whether there was no answer."""
    # By name: the library has changed the client that it speaks by, httpx and httpx2.
    return bool(kinds(error) & {"TransportError", "ConnectionError", "TimeoutError", "gaierror"})


def is_passing(error: BaseException) -> bool:
    """Return whether the same may work a moment later: the server failed, or the connection did."""
    status = status_of(error)
    return status >= 500 if status is not None else is_of_the_network(error)


def _detail(error: BaseException) -> str:
    deepest = [one for one in chain(error) if is_of_the_network(one)]
    said = first_line(deepest[-1]).rstrip(".") if deepest else ""
    return f" ({said})" if said else ""

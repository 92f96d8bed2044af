"""A model's repository on the Hugging Face Hub, or on a server that speaks as it does (`$HF_ENDPOINT`)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...text.hub_errors import is_passing
from .contents import Contents
from .hub_errors import said_of

if TYPE_CHECKING:
    from huggingface_hub import HfApi

WAITS = (1.0, 4.0)
"""Seconds before a commit that failed on the server's side is tried again."""
OWN = ".gitattributes", "README.md", "LICENSE*"
"""What a repository may hold that nobody has pushed a model to."""
MARK = "checksums.json"
"""What every export holds: a model that this command pushed, or might have."""
WEIGHTS = (
    "*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin", "adapter_*", "config.json",
    "generation_config.json", "tokenizer*", "vocab*", "merges.txt", "*.model", "special_tokens_map.json",
    "added_tokens.json", "chat_template.jinja",
)  # fmt: skip
"""What of an earlier push goes when it is no part of this one: two exports must not be mixed."""


@dataclass(frozen=True)
class Account:
    """Whose credentials there are.

    Args:
        name: of the user.
        organizations: that it belongs to, with its role in each as far as that is told.
        role: of the token: `read`, `write`, `fineGrained`, or empty where that is not told.
    """

    name: str
    organizations: dict[str, str]
    role: str


def check_name(repository: str) -> None:
    """Raise an `InputError` unless it is ORG/NAME, as the Hub spells repositories."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise InputError(f"{repository!r} is no name of a repository: {str(error).partition(chr(10))[0]}") from error
    if repository.count("/") != 1:
        raise InputError(
            f"{repository!r} is no ORG/NAME: whose it is comes first, such as my-name/{repository.replace('/', '-')}."
        )


class Repository:
    """A model's repository.

    Args:
        name: ORG/NAME.
        token: of whoever pushes.
    """

    def __init__(self, name: str, token: str) -> None:
        from huggingface_hub import HfApi

        self.name = name
        self.api: HfApi = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=token)

    @property
    def url(self) -> str:
        """Where people see it."""
        return f"{self.api.endpoint}/{self.name}"

    def account(self) -> Account:
        """Return whose token it is.

        Raises:
            InputError: if the token is not accepted, or the server cannot be reached.
        """
        with self._told("the credentials could not be checked"):
            known: dict[str, Any] = self.api.whoami()
        organizations = {str(org.get("name")): str(org.get("roleInOrg") or "") for org in known.get("orgs") or []}
        token = (known.get("auth") or {}).get("accessToken") or {}
        return Account(str(known.get("name")), organizations, str(token.get("role") or ""))

    def check(self, account: Account, private: bool) -> Any:
        """Return what the Hub knows of the repository, once it is clear that this may be pushed there; None: it is new.

        Args:
            account: who pushes.
            private: whether only its owners are to see it.

        Raises:
            InputError: if it is another's, holds something else, or is public where it should be private.
        """
        self.check_owner(account)
        info = self._info()
        if info is None:
            return None
        if private and not info.private:
            raise InputError(f"{self.name} is public; --private does not change that. Its settings do: {self.url}.")
        names = [sibling.rfilename for sibling in info.siblings or []]
        others = [name for name in names if not any(fnmatch(name, pattern) for pattern in OWN)]
        if others and MARK not in names:
            raise InputError(
                f"{self.name} holds something that was not pushed from here ({', '.join(others[:3])}"
                f"{', ...' if len(others) > 3 else ''}): it stays as it is. Another NAME would work."
            )
        return info

    def check_owner(self, account: Account) -> None:
        """Raise an `InputError` if an account may not write to repositories of this owner.

        Args:
            account: who pushes.
        """
        owner = self.name.partition("/")[0]
        owners = [account.name, *account.organizations]
        if owner.lower() not in (name.lower() for name in owners):
            raise InputError(
                f"{self.name} is not yours to write to: you are {account.name}"
                + (f", in {', '.join(account.organizations)}" if account.organizations else ", in no organization")
                + f". {account.name}/{self.name.partition('/')[2]} would work."
            )
        role = next((role for name, role in account.organizations.items() if name.lower() == owner.lower()), "")
        if account.role == "read" or role == "read":
            whose = "The token" if account.role == "read" else f"Your role in {owner}"
            raise InputError(f"{whose} may only read: one that may write is needed to push to {self.name}.")

    def push(self, files: Contents, info: Any, private: bool, message: str) -> str:
        """Make the repository hold these files, by one commit; return the commit.

        Large files are sent first, each whole; what has arrived is not sent again, so that an interrupted push goes on
        where it stopped. Until the commit, nobody sees any of them.

        Args:
            files: by name.
            info: from `check`.
            private: of a repository that is made now.
            message: of the commit.

        Raises:
            InputError: if it cannot be done; then the repository is as it was, or new and empty.
        """
        if info is None:
            with self._told("the repository could not be made"):
                self.api.create_repo(self.name, private=private or None, exist_ok=True)
            info = self._info()
        # It stays the one that was looked at: what somebody else pushes in the meantime is not overwritten.
        parent = info.sha if info is not None else None
        for wait in WAITS:
            try:
                return self._commit(files, info, parent, message)
            except Exception as error:
                if not is_passing(error):
                    raise self._explained("the push broke off", error, goes_on=True) from error
            time.sleep(wait)
            info = self._info()  # the commit may have come about, and its answer been lost
        with self._told("the push broke off", goes_on=True):
            return self._commit(files, info, parent, message)

    def _commit(self, files: Contents, info: Any, parent: str | None, message: str) -> str:
        """Send what is not there yet, then commit; nothing where all of it is there already."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        additions = [
            CommitOperationAdd(name, content if isinstance(content, bytes) else str(content))
            for name, content in files.items()
        ]
        self.api.preupload_lfs_files(self.name, additions, free_memory=False)
        there = [sibling.rfilename for sibling in (info.siblings if info is not None else None) or []]
        stale = [
            CommitOperationDelete(name)
            for name in there
            if name not in files and "/" not in name and any(fnmatch(name, pattern) for pattern in WEIGHTS)
        ]
        done = self.api.create_commit(self.name, [*additions, *stale], commit_message=message, parent_commit=parent)
        return str(done.oid)

    def _info(self) -> Any:
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

        with self._told("the repository could not be looked at"):
            try:
                return self.api.model_info(self.name)
            except GatedRepoError:
                raise
            except RepositoryNotFoundError:
                return None

    @contextmanager
    def _told(self, what: str, goes_on: bool = False) -> Iterator[None]:
        """Say in one message what a library or a server made of it."""
        try:
            yield
        except Exception as error:
            raise self._explained(what, error, goes_on) from error

    def _explained(self, what: str, error: Exception, goes_on: bool) -> InputError:
        after = " Nothing of it is seen there. The same command goes on; what has arrived is not sent again."
        return InputError(f"{self.name}: {what}: {said_of(error, self.api.endpoint)}{after if goes_on else ''}")

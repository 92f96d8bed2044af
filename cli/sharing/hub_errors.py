"""What an error of the Hugging Face Hub, or on the way to it, means to whoever pushes."""

from __future__ import annotations

from ...errors import first_line
from ...text.hub_errors import chain, is_of_the_network, status_of

MEANINGS = {
    401: "the token was not accepted: `hf auth login` stores another, $HF_TOKEN comes before it.",
    403: "the token may not do that: one that may write there is needed.",
    404: "it is not there, or not for this token.",
    409: "somebody else has changed it in the meantime: look what is there, then push again.",
    412: "somebody else has pushed to it in the meantime: look what is there, then push again.",
    413: "the server does not take files of this size.",
    429: "too many requests, the server says: wait some minutes.",
}


def said_of(error: BaseException, endpoint: str) -> str:
    """Return in a sentence what went wrong, and what would work.

    Args:
        error: of the library.
        endpoint: the server.
    """
    if any(type(one).__name__ == "OfflineModeIsEnabled" for one in chain(error)):
        return "this process is to stay offline ($HF_HUB_OFFLINE, $TRANSFORMERS_OFFLINE): unset that to push."
    if (status := status_of(error)) is not None:
        server = _server_message(error)
        meaning = MEANINGS.get(status)
        if meaning is None:
            meaning = "the server failed." if status >= 500 else "the server refused it."
        return f"{meaning} ({status}{f': {server}' if server else ''})"
    if is_of_the_network(error):
        last = list(chain(error))[-1]
        return f"{endpoint} cannot be reached, or the connection broke ({first_line(last) or type(last).__name__})."
    return f"{first_line(error) or type(error).__name__}."


def _server_message(error: BaseException) -> str:
    said = next((str(m) for one in chain(error) if (m := getattr(one, "server_message", None))), "")
    return said.strip().partition("\n")[0][:200]

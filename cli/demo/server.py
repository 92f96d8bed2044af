"""Where the page is served, and what is needed for it: the package, a free port, a display."""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import suppress
from typing import Any

from ...errors import InputError
from ..stop_signals import Interrupted

FIRST_PORT, TRIED = 7860, 40
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def require_gradio() -> None:
    """Refuse to begin without the package; nothing of it calls home.

    Raises:
        InputError: with the command that installs it.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise InputError(
            "demo needs the package gradio, which is not installed: pip install 'pretune[demo]'."
        ) from error


def require_display() -> None:
    """Refuse to open a browser where there is none to be seen.

    Raises:
        InputError: with what would work.
    """
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise InputError(
            "--browser true opens a page, and this machine has no display: leave it out, and open the address that is "
            "printed; from elsewhere, ssh -L 7860:127.0.0.1:7860 leads to it."
        )


def free_port(host: str, port: int | None) -> int:
    """Return the port to serve at.

    Args:
        host: to bind to.
        port: as asked; 0 is any that is free, None the first free one from 7860 on.

    Raises:
        InputError: if it is taken, or the host is not this machine's.
    """
    ports = [port] if port is not None else list(range(FIRST_PORT, FIRST_PORT + TRIED))
    for candidate in ports:
        try:
            family = socket.getaddrinfo(host, candidate, type=socket.SOCK_STREAM)[0][0]
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, candidate))
                return int(probe.getsockname()[1])
        except socket.gaierror as error:
            raise InputError(f"--host {host} is no address of this machine; 127.0.0.1 would work.") from error
        except PermissionError as error:
            raise InputError(f"--port {candidate} is only for root; {FIRST_PORT} would work.") from error
        except OSError as error:
            if port is not None:
                why = "is taken" if "in use" in str(error) else f"cannot be had at {host} ({error.strerror})"
                raise InputError(f"--port {port} {why}; another one, or 0 for any free one, would work.") from error
    raise InputError(f"All ports from {FIRST_PORT} to {FIRST_PORT + TRIED - 1} are taken: --port 0 takes any free one.")


def serve(page: Any, look: dict[str, Any], host: str, port: int, browser: bool, wait: bool = True) -> str:
    """Serve a page until the command is stopped.

    Args:
        page: of Gradio.
        look: how it looks.
        host: to bind to.
        port: a free one.
        browser: open it.
        wait: return only when it is stopped.

    Returns:
        Its address.
    """
    with suppress(AttributeError):
        page.queue(default_concurrency_limit=2)
    _, address, _ = page.launch(
        server_name=host,
        server_port=port,
        inbrowser=browser,
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        ssr_mode=False,
        enable_monitoring=False,
        footer_links=[],
        **look,
    )
    address = str(address)
    print(f"The page is at {address} (Ctrl-C ends it).", flush=True)
    if host not in LOOPBACK:
        print(f"Note: --host {host} lets everybody in who reaches this machine.", file=sys.stderr, flush=True)
    try:
        while wait:
            time.sleep(0.5)
    except Interrupted as stop:
        stop.message = "the page is closed"
        raise
    finally:
        if wait:
            page.close(verbose=False)
    return address

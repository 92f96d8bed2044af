"""Imports Lightning so that what it says is heard alike, whichever test comes first.

It hands its messages on to whoever listens, or else keeps the stream that is there when it is first imported, which may
be that of one test, and closed in the next.
"""

import logging

_listening = logging.NullHandler()
logging.getLogger().addHandler(_listening)
import lightning.pytorch  # noqa: E402, F401

logging.getLogger().removeHandler(_listening)

"""What a parser refuses, as an error like others that a user can mend; the process ends with 2, as after argparse."""

from __future__ import annotations

from ..errors import InputError


class UsageError(InputError):
    """What stands on the command line, or in a configuration, is no option, or none of its values.

    Args:
        message: the sentence for the user.
    """

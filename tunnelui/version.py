"""The version. The metadata of the installed package would tell as well, and take longer than the rest of a start."""

from typing import Final

__all__ = ["VERSION"]

VERSION: Final = "0.1.0"

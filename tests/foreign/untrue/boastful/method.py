"""The honest method under another card."""

from untrue.methods import Upper


class Boastful(Upper):
    """Given the upper half of the true video; its card says a still."""

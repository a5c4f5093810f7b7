"""The one exception that a user sees: a sentence with file, line, what was found and what was expected."""


class InputError(Exception):
    """Input that cannot be used. The command line prints the sentence and exits with 1."""

"""The one error that a user can cause and mend."""


class InputError(ValueError):
    """Something given from outside (a path, a value, a message) cannot be used.

    The text is one line for the user: it names the value and the remedy. Command lines print it and
    exit with status 1, nodes log it and wait for better input; any other exception is a bug of ours
    and keeps its traceback.
    """

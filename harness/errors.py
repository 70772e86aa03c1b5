"""What went wrong, in one sentence that includes what to do next."""


class UserError(Exception):
    """An error that a person can cause or correct; the message is for them."""

"""What went wrong, in one sentence that says what to do next."""


class Trouble(Exception):
    """A person can run into this; the message is for them."""

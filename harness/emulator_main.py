"""Start MiniStack; runs in the emulator's own Python environment."""

import socketserver

# Its Runtime API answers in two small packets. Without this, the second waits 40 ms for the
# acknowledgement of the first, on every call of every function.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True

from ministack.app import main  # noqa: E402  # the setting above has to come first

main()

"""resume_orders has no event of its own: it publishes again what any service has stored."""

from plumbing.participant import Participant

PARTICIPANT = Participant(consumes=None, republishes=True)

"""`saga ui`: a local page that shows the saga live. It observes; no service knows of it."""

"""The real handlers, run through every crash, repetition and overtaking within bounds.

`code` imports the handlers so that each of their calls stops them; `machine` is AWS, the payment
provider and the carrier around them; `invariants` is what must hold; `explore` tries everything.
`rollout` is a deployment of one release over another, and what must hold in it; `deployments` tries
every order of one, and `report` prints the verdict.
"""

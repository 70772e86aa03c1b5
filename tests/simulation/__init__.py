"""What the explorer is told of this saga, and what is asked of it.

`saga` has the functions and what they work with, `domain` what must hold of stock and money,
`scenarios` what is tried. `deployments` is a change between two trees; `mutants` and `guards` are
the same explorations without a guard. `page` and `evolution` write down what was found.
"""

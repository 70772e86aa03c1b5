"""The `saga` command: what a person does with the saga on a machine of their own."""

"""The commands of `saga`, a file for each group, each command beside its own options."""

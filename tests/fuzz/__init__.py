"""Whatever comes from outside ends in an answer or a named error: tried by chance.

The normal run tries the same inputs each time; `make fuzz` goes on with others.
"""

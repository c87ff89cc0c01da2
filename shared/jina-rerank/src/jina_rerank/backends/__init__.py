"""Where scores come from: one file per backend, named after it.

Each of these modules has a function ``create(settings) -> Backend``.
"""

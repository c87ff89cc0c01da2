"""The benchmark of ``nox -s bench``: the engine against a plain reference forward, in one run.

Run it from the repository root: ``python -m tests.bench``.
"""

"""A Docker Engine of this checkout's own, for machines where none runs.

Standard library only: it runs before there is a virtual environment.
"""

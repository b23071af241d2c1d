"""What a bare machine lacks: a Docker Engine of this checkout's own, and base images.

Standard library only: it runs before there is a virtual environment.
"""

"""Registries, by the OCI Distribution API: what they hold, and what they are to hold.

The API: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md. How clients prove who they are:
https://distribution.github.io/distribution/spec/auth/token/.
"""

"""Deployments: an environment brought up by what deploys it, Compose."""

"""The run of ``images``: what happens between a plan and its report, told to an observer."""

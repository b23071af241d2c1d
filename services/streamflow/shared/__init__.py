"""What the services have in common; of one another they import only this."""

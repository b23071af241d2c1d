"""The project as text: Jinja templates, the list of derived files, and the comparison with the disk."""

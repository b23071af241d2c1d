"""What is to be done: from the project and what was observed to plans, as frozen data, before anything is touched."""

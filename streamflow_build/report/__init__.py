"""What a run tells its user: progress, logs, the table and the JSON. Rich lives here, and only here."""

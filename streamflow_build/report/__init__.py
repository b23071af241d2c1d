"""What a run tells its user: live progress, plain lines, logs, the table and the JSON. Rich lives here, and only here."""

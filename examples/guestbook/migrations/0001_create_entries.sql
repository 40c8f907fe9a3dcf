-- Never change a migration that was pushed: what comes later is a file of its own, such as 0002_add_country.sql.
CREATE TABLE entries (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
  message TEXT NOT NULL CHECK (length(message) BETWEEN 1 AND 500),
  written_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

//! The embedded log: SQLite.

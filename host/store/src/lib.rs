//! SQLite behind the traits that the runtime, the index and the agent declare.

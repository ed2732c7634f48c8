//! The Google Drive connector.

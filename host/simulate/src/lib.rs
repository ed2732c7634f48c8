//! Stand-ins for Google Drive, Trello and an OAuth 2 provider, as real HTTP servers that hold state.

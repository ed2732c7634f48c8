//! The Sallyport runtime: connectors that nobody has to trust, behind grants, one egress and a journal.

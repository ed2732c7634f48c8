//! Chunking, embedding and access-exact hybrid search.

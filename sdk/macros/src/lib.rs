//! The attribute macros of sallyport-sdk.

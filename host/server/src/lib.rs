//! The service and the command line: HTTP API, web page, demo.

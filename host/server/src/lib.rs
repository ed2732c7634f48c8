//! The service and the command line: HTTP API, web page, demo.
//!
//! A library beside the binary, so that end-to-end tests can drive the same code in their own process.

pub mod api;
pub mod app;
pub mod ask;
pub mod audit;
pub mod auth;
mod brain;
pub mod cli;
pub mod config;
pub mod consent;
pub mod demo;
pub mod error;
pub mod grants;
pub mod origin;
pub mod output;
mod outward;
pub mod search;
pub mod setup;
pub mod signin;
pub mod syncs;
pub mod watch;
pub mod webhook;

//! Lines for the operator's log. The host caps them (64 KiB an invocation) and escapes them.

use crate::backend;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For whoever works on the connector.
    Debug,
    /// Worth knowing.
    Info,
    /// Something was left out or worked around.
    Warn,
    /// Something failed.
    Error,
}

/// Writes a line with named values.
///
/// ```
/// # sallyport_sdk::testing::FakeHost::new().run(|| {
/// use sallyport_sdk::log;
/// log::write(log::Severity::Info, "listed boards", &[("count", &12)]);
/// # });
/// ```
pub fn write(severity: Severity, message: &str, fields: &[(&str, &dyn std::fmt::Display)]) {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect();
    backend::log(severity, message, fields);
}

/// A line for whoever works on the connector.
pub fn debug(message: &str) {
    write(Severity::Debug, message, &[]);
}

/// A line worth knowing.
pub fn info(message: &str) {
    write(Severity::Info, message, &[]);
}

/// Something was left out or worked around.
pub fn warn(message: &str) {
    write(Severity::Warn, message, &[]);
}

/// Something failed.
pub fn error(message: &str) {
    write(Severity::Error, message, &[]);
}

//! Who may do what: roles on every route, who approves, and whose a provider's users are.

mod approvals;
mod people;
mod routes;

/// Head of marketing, an approver.
const CHIARA: &str = "chiara@larkfield.example";
/// The tenant's admin.
const INES: &str = "ines@larkfield.example";

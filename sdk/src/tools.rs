//! What a tool is asked and answers. A tool is a function under [`#[tool]`](crate::tool).

use schemars::JsonSchema;
use serde::Deserialize;

/// What a tool call gave, as the host gets it.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The function's result.
    pub json: serde_json::Value,
    /// Ids of documents to cite. They never widen who may read the result.
    pub documents: Vec<String>,
}

/// The input of a tool function without parameters: an object without properties.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoInput {}

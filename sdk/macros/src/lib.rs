//! The attribute macros of sallyport-sdk.

mod export;
mod tool;

use proc_macro::TokenStream;

/// Makes a function a tool that an agent can call.
///
/// The function takes one input (or none) and gives a `Result<Output, Failure>`. Its name is the
/// tool's name, its doc comment what a model reads, and its JSON Schemas come from its types: the
/// input is `Deserialize + JsonSchema`, the output `Serialize + JsonSchema`. Put
/// `#[serde(deny_unknown_fields)]` on inputs, so that a misspelt argument is told instead of lost.
///
/// | argument | |
/// |---|---|
/// | `title = "…"` | required: a name for people |
/// | `documents = path` | optional: a `fn(&Output) -> Vec<String>` that gives ids of documents to cite |
#[proc_macro_attribute]
pub fn tool(arguments: TokenStream, item: TokenStream) -> TokenStream {
    tool::expand(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Names what the connector exports: once in a crate, at its root or in a module.
///
/// ```text
/// export! {
///     account: identify,                  // required: fn() -> Result<Identity, Failure>
///     tools: [create_note, notes::list],  // functions under #[tool]
///     sync: Notes,                        // a type that implements sync::Sync
///     webhooks: Notes,                    // … webhooks::Webhooks
///     subscriptions: Notes,               // … subscriptions::Subscriptions
/// }
/// ```
///
/// It defines `Connector`, which the tests of the SDK's `testing` module take.
#[proc_macro]
pub fn export(input: TokenStream) -> TokenStream {
    export::expand(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

use sallyport_sdk::prelude::*;

/// Says hello.
#[tool(title = "Hello")]
fn hello() -> String {
    "hello".into()
}

fn main() {}

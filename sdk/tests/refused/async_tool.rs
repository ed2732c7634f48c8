use sallyport_sdk::prelude::*;

/// Says hello.
#[tool(title = "Hello")]
async fn hello() -> Result<String, Failure> {
    Ok("hello".into())
}

fn main() {}

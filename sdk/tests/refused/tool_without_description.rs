use sallyport_sdk::prelude::*;

#[tool(title = "Hello")]
fn hello() -> Result<String, Failure> {
    Ok("hello".into())
}

fn main() {}

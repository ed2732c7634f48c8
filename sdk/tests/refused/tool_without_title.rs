use sallyport_sdk::prelude::*;

/// Says hello.
#[tool]
fn hello() -> Result<String, Failure> {
    Ok("hello".into())
}

fn main() {}

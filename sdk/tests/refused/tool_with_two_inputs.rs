use sallyport_sdk::prelude::*;

/// Says hello.
#[tool(title = "Hello")]
fn hello(name: String, times: u32) -> Result<String, Failure> {
    Ok(name.repeat(times as usize))
}

fn main() {}

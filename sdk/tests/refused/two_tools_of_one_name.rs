use sallyport_sdk::prelude::*;

fn identify() -> Result<Identity, Failure> {
    Ok(Identity::new("1", "One"))
}

mod a {
    use sallyport_sdk::prelude::*;

    /// Says hello.
    #[tool(title = "Hello")]
    pub fn hello() -> Result<String, Failure> {
        Ok("hello".into())
    }
}

export! {
    account: identify,
    tools: [a::hello, crate::a::hello],
}

fn main() {}

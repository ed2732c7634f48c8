use sallyport_sdk::prelude::*;

fn identify() -> Result<Identity, Failure> {
    Ok(Identity::new("1", "One"))
}

export! {
    account: identify,
    tolls: [],
}

fn main() {}

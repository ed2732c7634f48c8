use sallyport_sdk::export;

export! {
    tools: [],
}

fn main() {}

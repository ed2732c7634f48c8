//! Write a Sallyport connector in Rust: a sync function, tool functions, one file.

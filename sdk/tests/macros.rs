//! What the macros refuse, and where they point.

#[test]
fn refusals_point_at_what_is_wrong() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/refused/*.rs");
}

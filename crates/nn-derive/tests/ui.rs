//! What the macro says about definitions that it cannot read: each message at its own place.

#[test]
fn mistakes_are_named_where_they_stand() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

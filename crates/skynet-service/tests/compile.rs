//! What must not compile.

#[test]
#[cfg_attr(miri, ignore = "runs the compiler")]
fn what_would_be_unsound_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile/*.rs");
}

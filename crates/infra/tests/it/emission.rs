//! Does a layer that reports what is not its to report fail to compile, and is told what to do?

#[test]
fn a_layer_cannot_emit_a_class_that_is_not_its_own() {
    trybuild::TestCases::new().compile_fail("tests/it/compile_fail/*.rs");
}

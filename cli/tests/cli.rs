//! Help and usage errors, as a person sees them. No network is needed.
//!
//! After a wanted change: `TRYCMD=overwrite cargo test -p windlass --test cli`, then read the
//! difference.

#[test]
fn help_and_usage() {
    trycmd::TestCases::new()
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .env("HOME", "/nonexistent")
        .case("tests/cmd/*.trycmd");
}

//! What happens when going on would be worse than stopping?

/// What the process returns: `EX_SOFTWARE` of sysexits.h, an internal error.
const EXIT_CODE: i32 = 70;

/// Stops the process at once, without unwinding and without running anybody's clean-up.
///
/// For the one case in which nobody knows any more what is on the disk: an I/O error while a
/// transaction was being committed. Recovery at the next start finds out; every answer given before
/// that could be wrong. Everything else is an error that somebody handles.
#[expect(clippy::disallowed_methods, reason = "this is the one emergency stop")]
pub fn emergency(reason: &str) -> ! {
    tracing::error!(reason, exit_code = EXIT_CODE, "emergency stop");
    std::process::exit(EXIT_CODE)
}

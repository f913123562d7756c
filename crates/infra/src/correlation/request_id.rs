//! What may a correlation be called, by us and by a client?

use model::id::IdGenerator;
use model::time::Timestamp;

/// The longest `x-request-id` that is taken over.
const MAX_LENGTH: usize = 128;

/// A new correlation id: `{prefix}_{yyyymmdd}_{12 hex}`, the day in UTC.
pub fn correlation_id(prefix: &str, now: Timestamp, ids: &dyn IdGenerator) -> String {
    let day: String = now.to_string().chars().take(10).filter(|c| *c != '-').collect();
    let random = ids.next() & 0xffff_ffff_ffff;
    format!("{prefix}_{day}_{random:012x}")
}

/// The client's `x-request-id`, if it is 1 to 128 of `A-Z a-z 0-9 . _ : -`. Anything else is
/// ignored: it would end up in logs, headers and the store.
pub fn accept_request_id(header: &str) -> Option<&str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
    let fits = (1..=MAX_LENGTH).contains(&header.len()) && header.chars().all(allowed);
    fits.then_some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(u128);

    impl IdGenerator for Always {
        fn next(&self) -> u128 {
            self.0
        }
    }

    #[test]
    fn an_id_says_its_day_and_twelve_digits_of_chance() {
        let now = Timestamp::from_micros(1_795_253_400_000_000);
        assert_eq!(
            correlation_id("run", now, &Always(0xdead_0123_4567_89ab_cdef)),
            "run_20261121_456789abcdef"
        );
        assert_eq!(
            correlation_id("req", now, &Always(7)),
            "req_20261121_000000000007"
        );
        let ours = correlation_id("req", now, &Always(7));
        assert_eq!(accept_request_id(&ours), Some(ours.as_str()));
    }

    #[test]
    fn a_clients_id_is_taken_over_only_if_it_can_do_no_harm_anywhere() {
        let longest = "a".repeat(128);
        for good in ["a", "req-7:x.y_Z", &longest] {
            assert_eq!(accept_request_id(good), Some(good));
        }
        let too_long = "a".repeat(129);
        for bad in [
            "",
            " ",
            "a b",
            "a\r\nset-cookie: x",
            "ä",
            "\u{7f}",
            "a\"b",
            &too_long,
        ] {
            assert_eq!(accept_request_id(bad), None, "{bad:?}");
        }
    }
}

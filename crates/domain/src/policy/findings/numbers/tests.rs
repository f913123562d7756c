//! Which numbers are telephones and cards, and which are not?

use alloc::vec::Vec;

use super::super::tests::found_in as found;
use super::*;

#[test]
fn telephones_are_found_however_they_are_written() {
    for (text, expected) in [
        ("(415)555-2671", "(415)555-2671"),
        ("tel:(415)-555-2671.", "(415)-555-2671"),
        ("+49 (0)30 901820", "+49 (0)30 901820"),
        ("+49(0)30 901820", "+49(0)30 901820"),
        ("+49 (0) 30 901820", "+49 (0) 30 901820"),
        // From the eighth digit on it is one.
        ("+44 (0)20 7946 0958", "+44 (0)20 7946"),
        ("+1 (415)555-2671", "+1 (415)555-2671"),
        ("1-415-555-2671", "1-415-555-2671"),
        ("1 (415) 555-2671", "1 (415) 555-2671"),
        ("1.415.555.2671", "1.415.555.2671"),
        ("0049 30 901820", "0049 30 901820"),
        ("00 49 (0)30 901820", "00 49 (0)30 901820"),
        ("0033-1-42-68-53-00", "0033-1-42-68-53"),
        ("00420 221 619 111", "00420 221 619"),
        ("001 415 555 2671", "001 415 555"),
        ("(030)901820", "(030)901820"),
        ("(030) 901 820", "(030) 901 820"),
        ("2) 415-555-2671", "415-555-2671"),
        ("+61 (2) 9876 5432", "+61 (2) 9876"),
        ("+43 (1) 588 58 00", "+43 (1) 588"),
        ("+353 (1) 234 5678", "+353 (1) 234"),
        ("(2) 415-555-2671", "415-555-2671"),
    ] {
        let got = found(text);
        assert_eq!(got.len(), 1, "{text}: {got:?}");
        assert!(
            got[0].0 == "PHONE" && got[0].1.starts_with(expected),
            "{text}: {got:?}"
        );
    }
}

#[test]
fn dates_versions_prices_and_sums_are_no_telephones() {
    for text in [
        "2026-11-21T10:30:00Z, 2026-11-21 10:30:00.123456+01:00, 21.11.2026 and 11/21/2026",
        "0001-01-01 00:00:00 and 0049-12-24",
        "1.2.3, 1.415.555.267, 120.0.6099.109 and 10.0.22631.4460",
        "192.168.100.200 and 255.255.255.255:8080",
        "1,415,555.2671 EUR, $1 415.55, 12.345.678,90",
        "0.415555267 and 3.14159265358979 and -0.0049",
        "(12)345-6789 and (1234)567-890 and f(415)(555)",
        "f(2) 345 * (67) 89 = (12) 34",
        "order 0012-3456-7890 and 0000-0000-0000",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "550e8400-e29b-41d4-a716-446655440000",
        "1-2-3, 1-115-555-2671 and 2-415-555-2671",
        "rows 1) 12 2) 345 3) 6789",
        "1700000000000 and 1700000000",
        "978-3-16-148410-0",
        r#"<svg viewBox="0 0 1024 1024"> and 0 0 1920 1080"#,
        "0 0 1 35 218 4096",
        "Invoices 00350-00399, ZIP 00501-00544",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn maestro_is_a_card_where_its_ranges_say_so() {
    for text in [
        "6759 6498 2643 8453",
        "6304000000000000",
        "5641 8211 1116 6669",
        "6771-7980-2100-0008",
        "5018 0000 0009",
        "6761 0000 0000 1",
        "5893 0000 0000 0000 003",
        "5038 0000 0000 000 005",
    ] {
        let digits: Vec<u8> = text
            .bytes()
            .filter(u8::is_ascii_digit)
            .map(|digit| digit - b'0')
            .collect();
        assert!(luhn(&digits), "{text}");
        assert_eq!(found(text), [("CARD", text)], "{text}");
    }
    for text in [
        // No range of Maestro's, or none of so few digits.
        "5118 0000 0008",
        "500000000009",
        "570000000002",
        "670000000000",
        // The check digit is another one.
        "6759 6498 2643 8454",
        "5018 0000 0008",
        "1 5018 00000 0009",
        "v501800000009 and 501800000009x",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
    // A number of goods, as on a package, whose digits are right for both.
    let goods = (0..10_000_u32).map(|number| alloc::format!("501837{number:07}"));
    let digits = |text: &str| -> Vec<u8> { text.bytes().map(|digit| digit - b'0').collect() };
    let both = goods.filter(|text| luhn(&digits(text)) && is_gtin(&digits(text)));
    let both: Vec<_> = both.take(20).collect();
    assert_eq!(both.len(), 20);
    for text in both {
        assert_eq!(found(&text), [], "{text}");
    }
}

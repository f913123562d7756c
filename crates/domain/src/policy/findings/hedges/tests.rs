//! Which statements are definite?

use super::super::accuracy::Unknowns;
use super::super::scan;

#[test]
fn a_definite_statement_is_found_however_it_is_put() {
    let unknowns = Unknowns::in_context("contract_status: active, auto_renew: null, end_date: \"\"");
    for text in [
        "No, your contract does not auto-renew.",
        "No, your contract doesn't auto-renew.",
        "Your contract is not set to auto-renew.",
        "Your contract isn't set to auto-renew.",
        "You don't have auto-renew.",
        "You do not have auto-renew.",
        "Your plan doesn't include auto-renew.",
        "The contract does not have an auto-renew clause.",
        "Yes, your contract is set to auto-renew; tell me if you want to change that.",
        "Your contract is set to auto-renew, please contact us to change it.",
        "Please note that your contract is set to auto-renew.",
        "It auto-renews, and you may cancel whenever you like.",
        "Your contract auto-renews but I cannot change that.",
        "Auto-renew cannot be turned off for your contract.",
        "The contract auto-renews in May.",
        "The contract auto-renewed on May 1.",
        "Contract auto-renews yearly.",
        "It will auto-renew next May.",
        "No, data shows that it does auto-renew.",
        "Auto-renew is on (let me know if that is wrong).",
        "The end date is in June.",
        "Your contract is not able to auto-renew.",
    ] {
        let found = scan(text, &unknowns);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(scan(text, &Unknowns::default()).is_empty(), "{text}");
    }
}

#[test]
fn who_says_that_it_is_not_known_states_nothing() {
    let unknowns = Unknowns::named(["auto_renew", "end_date", "price"]);
    for text in [
        "I don't have information about auto-renew.",
        "I do not have information about your auto-renew setting.",
        "I don't have your auto-renew status.",
        "We don't have any data about auto-renew.",
        "The context does not include auto-renewal details.",
        "The record doesn't mention auto-renew.",
        "I do not know whether your contract auto-renews.",
        "I don't see auto-renew in your contract.",
        "Your auto-renew setting is not specified.",
        "Your auto-renew setting is not currently known.",
        "The auto-renew setting isn't explicitly stated in your contract.",
        "Your contract may auto-renew.",
        "Auto-renew may be set on your contract.",
        "Auto-renew might be on, and it might be off.",
        "If it does auto-renew, you will be told.",
        "Please check your auto-renew setting in your account.",
        "Could you tell me your auto-renew setting.",
        "I cannot see whether it is set to auto-renew.",
        "Whether auto-renew is on cannot be determined.",
        "Your auto-renew status is something that I can't confirm.",
        "Your auto renew setting is unknown.",
        "There is no information about auto-renew.",
        "I'm not sure that your end date is in June.",
        "Sorry about the auto-renewals.",
        "About the prices and so on.",
        "Your contract is active.",
        "Compare prices online.",
        "I am not able to see your auto-renew setting.",
    ] {
        assert_eq!(scan(text, &unknowns), [], "{text}");
    }
}

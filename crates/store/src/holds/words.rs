//! In which words does a hold stand in its row?
//!
//! In short ones, and nothing is said twice: a ledger is mostly these three texts, and every byte of them is written
//! to the log of the database before anybody is answered.

use std::borrow::Cow;

use model::amounts::Amounts;
use model::hold::{HoldItem, Subject};
use model::id::{KeyId, LimitId, TenantId};
use model::limit::LimitType;
use model::money::NanoUsd;
use serde::{Deserialize, Serialize};

/// What is set aside on one limit: limit, type, start of the window, amount; and more, if there is more to say.
#[derive(Serialize, Deserialize)]
pub(super) struct ItemWords(
    LimitId,
    LimitType,
    i64,
    i64,
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<More>,
);

/// What was settled, whether that only carries over, and the owner of the limit if that is not the tenant of the hold.
#[derive(Serialize, Deserialize)]
struct More(i64, bool, Option<TenantId>);

impl ItemWords {
    pub(super) fn of(item: &HoldItem, tenant: TenantId) -> Self {
        let owner = (item.owner != tenant).then_some(item.owner);
        let more = item.settled != 0 || item.carried || owner.is_some();
        let more = more.then_some(More(item.settled, item.carried, owner));
        Self(item.limit, item.counts, item.window_start, item.amount, more)
    }

    pub(super) fn item(self, tenant: TenantId) -> HoldItem {
        let Self(limit, counts, window_start, amount, more) = self;
        let More(settled, carried, owner) = more.unwrap_or(More(0, false, None));
        HoldItem {
            owner: owner.unwrap_or(tenant),
            limit,
            counts,
            window_start,
            amount,
            settled,
            carried,
        }
    }
}

/// Who and what it is for.
#[derive(Serialize, Deserialize)]
pub(super) struct SubjectWords<'a> {
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    api_key_id: Option<KeyId>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    project_id: Option<Cow<'a, str>>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    agent_id: Option<Cow<'a, str>>,
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    feature: Option<Cow<'a, str>>,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    session_id: Option<Cow<'a, str>>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    end_user: Option<Cow<'a, str>>,
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    provider: Option<Cow<'a, str>>,
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    model: Option<Cow<'a, str>>,
}

impl<'a> From<&'a Subject> for SubjectWords<'a> {
    fn from(subject: &'a Subject) -> Self {
        let text = |text: &'a Option<String>| text.as_deref().map(Cow::Borrowed);
        Self {
            api_key_id: subject.api_key_id,
            project_id: text(&subject.project_id),
            agent_id: text(&subject.agent_id),
            feature: text(&subject.feature),
            session_id: text(&subject.session_id),
            end_user: text(&subject.end_user),
            provider: text(&subject.provider),
            model: text(&subject.model),
        }
    }
}

impl From<SubjectWords<'_>> for Subject {
    fn from(words: SubjectWords<'_>) -> Self {
        let text = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
        Self {
            api_key_id: words.api_key_id,
            project_id: text(words.project_id),
            agent_id: text(words.agent_id),
            feature: text(words.feature),
            session_id: text(words.session_id),
            end_user: text(words.end_user),
            provider: text(words.provider),
            model: text(words.model),
        }
    }
}

/// What was asked for, or used: cost, input tokens, output tokens, requests.
#[derive(Serialize, Deserialize)]
pub(super) struct AmountsWords(i64, i64, i64, i64);

impl From<&Amounts> for AmountsWords {
    fn from(amounts: &Amounts) -> Self {
        Self(
            amounts.cost.0,
            amounts.input_tokens,
            amounts.output_tokens,
            amounts.requests,
        )
    }
}

impl From<AmountsWords> for Amounts {
    fn from(AmountsWords(cost, input_tokens, output_tokens, requests): AmountsWords) -> Self {
        Self {
            cost: NanoUsd(cost),
            input_tokens,
            output_tokens,
            requests,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId::from_bits(1);

    fn item(owner: TenantId, settled: i64) -> HoldItem {
        HoldItem {
            owner,
            limit: LimitId::from_bits(7),
            counts: LimitType::CostUsd,
            window_start: 5,
            amount: 700,
            settled,
            carried: false,
        }
    }

    fn text<T: Serialize>(words: &T) -> String {
        serde_json::to_string(words).unwrap()
    }

    #[test]
    fn what_a_hold_sets_aside_comes_back_as_it_was() {
        for item in [
            item(TENANT, 0),
            item(TENANT, 12),
            item(TenantId::PLATFORM, 0),
            HoldItem {
                carried: true,
                ..item(TenantId::from_bits(2), -3)
            },
        ] {
            let stored = text(&ItemWords::of(&item, TENANT));
            let read: ItemWords = serde_json::from_str(&stored).unwrap();
            assert_eq!(read.item(TENANT), item, "{stored}");
        }
        assert_eq!(
            text(&ItemWords::of(&item(TENANT, 0), TENANT)),
            r#"["LIM-00000000000000000000000007","COST_USD",5,700]"#
        );
    }

    #[test]
    fn who_it_is_for_comes_back_as_it_was() {
        let full = Subject {
            api_key_id: Some(KeyId::from_bits(3)),
            project_id: Some("p".to_owned()),
            agent_id: Some("a \"quoted\"\n".to_owned()),
            feature: Some("f".to_owned()),
            session_id: Some("s".to_owned()),
            end_user: Some("ü".to_owned()),
            provider: Some("v".to_owned()),
            model: Some("m".to_owned()),
        };
        for subject in [Subject::default(), full] {
            let stored = text(&SubjectWords::from(&subject));
            let read: SubjectWords<'_> = serde_json::from_str(&stored).unwrap();
            assert_eq!(Subject::from(read), subject, "{stored}");
        }
        assert_eq!(text(&SubjectWords::from(&Subject::default())), "{}");
    }

    #[test]
    fn amounts_come_back_as_they_were() {
        let some = Amounts {
            cost: NanoUsd(1),
            input_tokens: 2,
            output_tokens: 3,
            requests: 4,
        };
        for amounts in [Amounts::ZERO, some] {
            let stored = text(&AmountsWords::from(&amounts));
            let read: AmountsWords = serde_json::from_str(&stored).unwrap();
            assert_eq!(Amounts::from(read), amounts, "{stored}");
        }
    }
}

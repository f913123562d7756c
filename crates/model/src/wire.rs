//! How is an enum a frozen word of the contract?

/// An enum whose variants are words: `wire_enum! { /// … Name { /// … Variant, } }`, written in `SCREAMING_SNAKE_CASE`
/// unless another case is named before it: `wire_enum! { "snake_case"; /// … Name { … } }`.
macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $crate::wire::wire_enum! {
            "SCREAMING_SNAKE_CASE";
            $(#[$doc])* $name { $($(#[$variant_doc])* $variant,)* }
        }
    };
    ($case:literal; $(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
            strum::EnumIter, strum::EnumString, strum::IntoStaticStr,
        )]
        #[serde(rename_all = $case)]
        #[strum(serialize_all = $case)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// The frozen word of the contract.
            pub fn as_str(self) -> &'static str {
                self.into()
            }
        }
    };
}
pub(crate) use wire_enum;

//! Which layer may report which class of error?
//!
//! Rules of the product live in L4 and nowhere else; what we run on is known to every layer but L4.
//! The table below is both the trait bound of `ErrorEnvelope::new` and the check of stored records.

use std::fmt;
use std::str::FromStr;

use super::class::{DomainClass, ErrorClass, InfraClass, SystemClass, UnknownClass, WordError, words};

mod sealed {
    pub trait Sealed {}
}

/// A layer that reports errors: [`L2`] to [`L6`].
pub trait Layer: sealed::Sealed {
    /// Its name.
    const NAME: LayerName;
}

/// A family of error classes.
pub trait Class: Into<ErrorClass> + sealed::Sealed {}

/// The layer may report errors of family `C`. Nobody else can add to this table.
#[diagnostic::on_unimplemented(
    message = "layer {Self} must not emit {C}",
    label = "{C} is not for {Self} to emit",
    note = "L4 emits DomainClass and SystemClass; L2, L3, L5 and L6 emit InfraClass and SystemClass",
    note = "report it where it happens: rules in a service (L4), failures of what we run on below it"
)]
pub trait MayEmit<C: Class>: Layer {}

words! { "layer",
    /// The name of a layer.
    LayerName {
        /// HTTP.
        Api = "L2",
        /// Views.
        Adapters = "L3",
        /// Engines and services.
        Rules = "L4",
        /// Workers.
        Workers = "L5",
        /// Platform.
        Platform = "L6",
    }
}

impl LayerName {
    /// Whether a record of this layer may have this class: the table of [`MayEmit`], for stored records.
    pub fn may_emit(self, class: ErrorClass) -> bool {
        match class {
            ErrorClass::Infra(_) => self != Self::Rules,
            ErrorClass::Domain(_) => self == Self::Rules,
            ErrorClass::System(_) | ErrorClass::Unknown => true,
        }
    }
}

/// HTTP: parse, authorise, one service, one view.
#[derive(Debug, Clone, Copy)]
pub enum L2 {}

/// Views: what each audience may see.
#[derive(Debug, Clone, Copy)]
pub enum L3 {}

/// Engines and services: the rules of the product.
#[derive(Debug, Clone, Copy)]
pub enum L4 {}

/// Workers: things that run later and elsewhere.
#[derive(Debug, Clone, Copy)]
pub enum L5 {}

/// Platform: the store and this crate.
#[derive(Debug, Clone, Copy)]
pub enum L6 {}

impl MayEmit<InfraClass> for L2 {}
impl MayEmit<InfraClass> for L3 {}
impl MayEmit<InfraClass> for L5 {}
impl MayEmit<InfraClass> for L6 {}

impl MayEmit<DomainClass> for L4 {}

// Everybody can be wrong, and everybody can be at a loss.
impl<L: Layer> MayEmit<SystemClass> for L {}
impl<L: Layer> MayEmit<UnknownClass> for L {}

macro_rules! layers {
    ($($layer:ident = $name:ident)*) => {$(
        impl sealed::Sealed for $layer {}

        impl Layer for $layer {
            const NAME: LayerName = LayerName::$name;
        }
    )*};
}

layers! { L2 = Api L3 = Adapters L4 = Rules L5 = Workers L6 = Platform }

macro_rules! classes {
    ($($class:ident)*) => {$(
        impl sealed::Sealed for $class {}

        impl Class for $class {}
    )*};
}

classes! { InfraClass DomainClass SystemClass UnknownClass }

#[cfg(test)]
mod tests {
    use super::*;

    /// The table as the compiler sees it: `true` where the layer has the bound.
    macro_rules! bounds {
        ($layer:ty) => {{
            trait Not {
                const MAY: bool = false;
            }
            impl<T> Not for T {}
            struct Of<L, C>(std::marker::PhantomData<(L, C)>);
            impl<L: MayEmit<C>, C: Class> Of<L, C> {
                const MAY: bool = true;
            }
            [
                Of::<$layer, InfraClass>::MAY,
                Of::<$layer, DomainClass>::MAY,
                Of::<$layer, SystemClass>::MAY,
                Of::<$layer, UnknownClass>::MAY,
            ]
        }};
    }

    #[test]
    fn the_matrix_is_the_one_of_the_lockdown() {
        let rules = [false, true, true, true];
        let others = [true, false, true, true];
        assert_eq!(bounds!(L4), rules);
        for bounds in [bounds!(L2), bounds!(L3), bounds!(L5), bounds!(L6)] {
            assert_eq!(bounds, others);
        }
    }

    #[test]
    fn stored_records_are_held_to_the_same_matrix() {
        for layer in LayerName::ALL {
            let classes = [
                InfraClass::Network.into(),
                DomainClass::NotFound.into(),
                SystemClass::Internal.into(),
                ErrorClass::Unknown,
            ];
            let expected = if *layer == L4::NAME {
                [false, true, true, true]
            } else {
                [true, false, true, true]
            };
            assert_eq!(classes.map(|class| layer.may_emit(class)), expected, "{layer}");
        }
    }

    #[test]
    fn the_types_know_their_names() {
        let names = [L2::NAME, L3::NAME, L4::NAME, L5::NAME, L6::NAME];
        assert_eq!(names, LayerName::ALL);
        assert_eq!(names.map(LayerName::as_str), ["L2", "L3", "L4", "L5", "L6"]);
        assert!("L1".parse::<LayerName>().is_err());
    }
}

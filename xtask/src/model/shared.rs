//! What do several rules look at that is worked out once? Found by its type.

use std::any::{Any, TypeId};
use std::sync::{Arc, OnceLock};

/// One value of each type, made by whoever asks first.
#[derive(Default, Clone)]
pub(crate) struct Shared(Arc<Slot>);

/// A list that only grows, so that what is in it can be lent out while others ask.
#[derive(Default)]
struct Slot {
    of: OnceLock<TypeId>,
    value: OnceLock<Box<dyn Any + Send + Sync>>,
    next: OnceLock<Box<Slot>>,
}

impl Shared {
    /// The value of this type; `make` runs once, while others wait. It must not hand work to other threads: one of them
    /// may be waiting for this value. What takes all cores is made in `Rule::prepare`, and handed in here.
    pub(crate) fn get<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> &T {
        let wanted = TypeId::of::<T>();
        let mut slot = &*self.0;
        while *slot.of.get_or_init(|| wanted) != wanted {
            slot = slot.next.get_or_init(Box::default);
        }
        let value = slot.value.get_or_init(|| Box::new(make()));
        match value.downcast_ref() {
            Some(value) => value,
            None => unreachable!("a slot holds the type that it is found by"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_for_each_type() {
        let shared = Shared::default();
        assert_eq!(*shared.get(|| 1_u8), 1);
        assert_eq!(*shared.get(|| 2_u8), 1);
        assert_eq!(*shared.get(|| 3_u16), 3);
    }
}

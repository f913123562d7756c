//! What do several rules look at that is worked out once? Found by its type.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

type Slot = Arc<OnceLock<Arc<dyn Any + Send + Sync>>>;

/// One value of each type, made by whoever asks first.
#[derive(Default)]
pub(crate) struct Shared(Mutex<BTreeMap<TypeId, Slot>>);

impl Shared {
    /// The value of this type; `make` runs once, while others wait. It must not hand work to other threads: one of them
    /// may be waiting for this value.
    pub(crate) fn get<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = Arc::clone(slots.entry(TypeId::of::<T>()).or_default());
        drop(slots);
        let mut own = None;
        let value = slot.get_or_init(|| {
            let value = Arc::new(make());
            own = Some(Arc::clone(&value));
            value
        });
        if let Some(value) = own {
            return value;
        }
        match Arc::clone(value).downcast::<T>() {
            Ok(value) => value,
            Err(_) => unreachable!("a slot holds the type that it is found by"),
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

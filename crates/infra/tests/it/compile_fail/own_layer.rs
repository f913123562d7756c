//! Somebody makes a layer that may report everything.

use infra::envelope::{DomainClass, Layer, LayerName, MayEmit};

struct Anything;

impl Layer for Anything {
    const NAME: LayerName = LayerName::Api;
}

impl MayEmit<DomainClass> for Anything {}

fn main() {}

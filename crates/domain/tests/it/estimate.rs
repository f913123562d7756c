//! What does the engine `estimate` decide?

use domain::estimate::{NAME, RequestFacts, bound};

#[test]
fn bounds_are_the_golden_ones() {
    let mut decided = Vec::new();
    for (body_bytes, references) in [(200, 0), (200, 3), (i64::MAX, 1)] {
        for requested_output in [None, Some(-1), Some(10), Some(i64::MAX)] {
            for (choices, makes_output) in [(0, true), (1, true), (3, true), (1, false)] {
                for model_output in [None, Some(100)] {
                    let facts = RequestFacts {
                        body_bytes,
                        references,
                        requested_output,
                        choices,
                        makes_output,
                        default_output: 4_096,
                        model_output,
                    };
                    decided.push(format!("{facts:?}\n  {:?}", bound(&facts)));
                }
            }
        }
    }
    crate::golden(NAME, "bounds", &decided);
}

//! What led to the error, as far as an error value tells?

use std::any::type_name;
use std::error::Error;
use std::fmt::{self, Write as _};

use super::cut;

/// How many causes are kept.
const MAX_LINKS: usize = 5;

/// How much of each message is kept, in characters.
const MAX_MESSAGE: usize = 200;

const MAX_NAME: usize = 100;

/// The type of the error and the chain of its causes, outermost first, each as `Type: message`.
pub(super) fn chain<E: Error>(error: &E) -> (String, Vec<String>) {
    let name = last_segment(type_name::<E>());
    let mut links = vec![link(&name, error)];
    let mut next = error.source();
    while let Some(cause) = next.filter(|_| links.len() < MAX_LINKS) {
        links.push(link(&debug_name(cause), cause));
        next = cause.source();
    }
    (name, links)
}

fn link(name: &str, error: &(impl Error + ?Sized)) -> String {
    format!("{name}: {}", cut(&error.to_string(), MAX_MESSAGE))
}

/// `alloc::boxed::Box<a::b::C>` is a `Box`.
fn last_segment(type_name: &str) -> String {
    let plain = type_name.split('<').next().unwrap_or(type_name);
    cut(plain.rsplit("::").next().unwrap_or(plain), MAX_NAME)
}

/// The name that a derived `Debug` begins with. What follows may be content and is not read.
fn debug_name(error: &(dyn Error + 'static)) -> String {
    let mut name = Name(String::new());
    // The writer stops the formatting at the end of the name.
    let _stopped = write!(name, "{error:?}");
    let Name(name) = name;
    if name.starts_with(|c: char| c.is_ascii_uppercase()) {
        name
    } else {
        "Error".to_owned()
    }
}

struct Name(String);

impl fmt::Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.0.len() >= MAX_NAME || !(c.is_ascii_alphanumeric() || c == '_') {
                return Err(fmt::Error);
            }
            self.0.push(c);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Outer {
        #[error("the answer could not be read")]
        Read(#[source] Nested),
    }

    #[derive(Debug, thiserror::Error)]
    #[error("level {depth}")]
    struct Nested {
        depth: usize,
        #[source]
        source: Option<Box<Nested>>,
    }

    fn nested(depth: usize) -> Nested {
        Nested {
            depth,
            source: (depth > 1).then(|| Box::new(nested(depth - 1))),
        }
    }

    #[test]
    fn causes_are_named_from_the_outside_in_up_to_the_fifth() {
        let (name, links) = chain(&Outer::Read(nested(9)));
        assert_eq!(name, "Outer");
        assert_eq!(
            links,
            [
                "Outer: the answer could not be read",
                "Nested: level 9",
                "Nested: level 8",
                "Nested: level 7",
                "Nested: level 6"
            ]
        );
        assert_eq!(chain(&Outer::Read(nested(1))).1.len(), 2);
    }

    #[test]
    fn long_messages_are_cut_at_a_character() {
        let (_, links) = chain(&std::io::Error::other("ä".repeat(300)));
        assert_eq!(links, [format!("Error: {}", "ä".repeat(200))]);
    }

    #[test]
    fn a_debug_form_that_is_no_name_is_not_repeated() {
        #[derive(thiserror::Error)]
        #[error("refused")]
        struct Odd;

        impl fmt::Debug for Odd {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("s3cret stuff")
            }
        }

        assert_eq!(debug_name(&Odd), "Error");
        assert_eq!(last_segment("alloc::boxed::Box<a::B>"), "Box");
    }
}

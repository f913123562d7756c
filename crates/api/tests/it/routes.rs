//! Which routes are there, according to the source that makes them?

const SOURCE: &str = include_str!("../../src/routes.rs");

/// A method and a path as the table of routes has them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) path: String,
}

/// The functions that make the routes of the public listener: the one that is called, and those that it calls.
const PARTS: [&str; 6] = [
    "\npub(crate) fn public(config: &mut ServiceConfig) {",
    "\nfn limits(config: &mut ServiceConfig) {",
    "\nfn operators(config: &mut ServiceConfig) {",
    "\nfn control(config: &mut ServiceConfig) {",
    "\nfn incidents(config: &mut ServiceConfig) {",
    "\nfn webhooks(config: &mut ServiceConfig) {",
];

/// What they say.
fn body() -> String {
    let part = |head| {
        let (_, rest) = SOURCE.split_once(head).unwrap();
        rest.split_once("\n}\n").unwrap().0
    };
    PARTS.map(part).join("\n")
}

/// Every route of the public listener.
pub(crate) fn public() -> Vec<Route> {
    let mut routes = Vec::new();
    for statement in body().split(";\n").filter(|text| !is_bench(text)) {
        if let Some((_, call)) = statement.split_once("!(config, \"") {
            let (path, handlers) = call.split_once('"').unwrap();
            routes.extend(handlers.split("=>").filter_map(|part| {
                let method = part.rsplit([',', ' ', '\n']).find(|word| !word.is_empty())?;
                let known = ["get", "post", "put", "patch", "delete"].contains(&method);
                known.then(|| Route {
                    method: method.to_uppercase(),
                    path: path.to_owned(),
                })
            }));
        }
    }
    routes
}

/// The one route that is not in a build that serves: `cargo xtask bench` measures against it.
fn is_bench(statement: &str) -> bool {
    statement.ends_with(
        "#[cfg(feature = \"bench\")]\n    plain!(config, \"/bench/check\", post => crate::bench::check)",
    )
}

/// Every route of the public listener that is not open to everybody.
pub(crate) fn closed() -> Vec<Route> {
    let open = |route: &Route| api::routes::OPEN.contains(&route.path.as_str());
    public().into_iter().filter(|route| !open(route)).collect()
}

#[test]
fn every_route_is_made_in_the_way_that_is_read_here() {
    let text = body();
    let bench = text.split(";\n").filter(|statement| is_bench(statement)).count();
    assert_eq!(public().len() + bench, text.matches("=>").count());
    assert_eq!(
        text.matches("#[").count(),
        bench,
        "a route that is not always there: {text}"
    );
    // A route that is made in another way would not be seen.
    assert!(text.contains("\n    limits(config);\n"), "{text}");
    assert_eq!(
        text.matches("config").count(),
        text.matches("!(config, \"").count() + PARTS.len(),
        "{text}"
    );
    assert!(text.contains("config.default_service("), "{text}");
}

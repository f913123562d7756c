//! Where does a page of a newest-first list begin?

/// The rows behind a place `(time, id)`, if there is one.
///
/// The first condition follows from the second; it is what an index is entered by, so that a late page costs no more than
/// the first.
macro_rules! behind {
    ($query:expr, $place:expr, ($at:expr, $id:expr)) => {{
        let mut query = $query;
        if let Some((at_micros, id)) = $place {
            let same_instant = $at.eq(at_micros).and($id.lt(id));
            query = query
                .filter($at.le(at_micros))
                .filter($at.lt(at_micros).or(same_instant));
        }
        query
    }};
}
pub(crate) use behind;

/// The rows beyond a place `(tenant, id)`, if there is one, in the order of both. The first condition is what an index is
/// entered by.
macro_rules! beyond {
    ($query:expr, $place:expr, ($tenant:expr, $id:expr)) => {{
        let mut query = $query;
        if let Some((tenant, id)) = $place {
            let same_tenant = $tenant.eq(tenant.clone()).and($id.gt(id));
            query = query
                .filter($tenant.ge(tenant.clone()))
                .filter($tenant.gt(tenant).or(same_tenant));
        }
        query
    }};
}
pub(crate) use beyond;

use model::page::{Cursor, PageRequest};

/// The last item of the page before.
pub(crate) fn place(page: &PageRequest) -> Option<(i64, String)> {
    page.after.clone().map(|Cursor { at_micros, id }| (at_micros, id))
}

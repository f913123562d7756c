//! Does the API keep its promises?

//! Does the upstream client do over a real socket, and with recorded answers, what it promises?

#[cfg(test)]
mod exchanges;
#[cfg(test)]
mod provider;
#[cfg(test)]
mod send;

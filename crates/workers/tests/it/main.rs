//! Do the ways out do over a real socket, and with recorded answers, what they promise?

#[cfg(test)]
mod exchanges;
#[cfg(test)]
mod provider;
#[cfg(test)]
mod send;
#[cfg(test)]
mod webhooks;

//! Does the store keep its promises on both databases?

#[cfg(test)]
mod append_only;
#[cfg(test)]
mod batches;
#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod closing;
#[cfg(test)]
mod contention;
#[cfg(test)]
mod corruption;
#[cfg(test)]
mod costs;
#[cfg(test)]
mod counters;
#[cfg(test)]
mod customer_reads;
#[cfg(test)]
mod entities;
#[cfg(test)]
mod growth;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod incidents;
#[cfg(test)]
mod infra_errors;
#[cfg(test)]
mod integrity;
#[cfg(test)]
mod integrity_races;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod links;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod pipeline;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod preventions;
#[cfg(test)]
mod principals;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod spreading;
#[cfg(test)]
mod support;
#[cfg(test)]
mod totals;
#[cfg(test)]
mod transactions;
#[cfg(test)]
mod webhooks;

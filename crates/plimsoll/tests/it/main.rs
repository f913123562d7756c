//! Does the whole product, as the binary that is shipped, keep its promises over HTTP?

#[cfg(test)]
mod commands;
#[cfg(test)]
mod curl;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod health;
#[cfg(test)]
mod incident_control;
#[cfg(test)]
mod incident_killed;
#[cfg(test)]
mod incident_load;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod ops;
#[cfg(test)]
mod patience;
#[cfg(test)]
mod principals;
#[cfg(test)]
mod replayed;
#[cfg(test)]
mod scenario_1;
#[cfg(test)]
mod scenario_2;
#[cfg(test)]
mod scenario_3;
#[cfg(test)]
mod sdk;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod starting;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod webhooks;
#[cfg(test)]
mod webhooks_tls;

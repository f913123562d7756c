//! How does the server start, and how does it stop?

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, PathConfig};
use actix_web::{App, HttpServer};
use services::Context;

use crate::middleware::around;
use crate::middleware::claims::Claims;
use crate::ops::health::Metrics;
use crate::problem::ApiError;
use crate::routes;
use crate::state::State;

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Threads that serve.
    pub workers: usize,
    /// The largest body of our own routes, in bytes.
    pub native_body_bytes: usize,
    /// The largest body of the SDK routes, in bytes.
    pub llm_body_bytes: usize,
    /// The longest that the headers of a request may take.
    pub request_timeout: Duration,
    /// How long the connection of a client is kept on which nothing is asked.
    pub keep_alive: Duration,
    /// The longest that requests in flight may take when the server stops.
    pub shutdown_grace: Duration,
    /// The hosts that are served; all if it is empty.
    pub allowed_hosts: Vec<String>,
}

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    handle: ServerHandle,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Takes no new request, lets those in flight finish (if `graceful`, within the grace of the settings), and
    /// stops.
    pub async fn stop(&self, graceful: bool) {
        self.handle.stop(graceful).await;
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// What ended the server.
    pub async fn wait(self) -> std::io::Result<()> {
        self.task.await.map_err(std::io::Error::other)?
    }
}

/// Starts the public listener. Must be called on a runtime of tokio.
///
/// # Errors
/// When the address cannot be bound.
pub fn start(cx: Context, settings: Settings) -> std::io::Result<Running> {
    let listener = TcpListener::bind(settings.listen)?;
    let addr = listener.local_addr()?;
    let workers = settings.workers.max(1);
    let (grace, headers, keep_alive) = (
        settings.shutdown_grace,
        settings.request_timeout,
        settings.keep_alive,
    );
    let state = Data::new(State {
        cx,
        settings: Arc::new(settings),
        claims: Claims::default(),
    });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .app_data(PathConfig::default().error_handler(|_, _| ApiError::not_found().into()))
            .wrap(from_fn(around))
            .configure(routes::public)
    })
    .workers(workers)
    .client_request_timeout(headers)
    .keep_alive(keep_alive)
    .shutdown_timeout(whole_seconds(grace))
    .disable_signals()
    .backlog(4096)
    .listen(listener)?
    .run();
    let handle = server.handle();
    Ok(Running {
        addr,
        handle,
        task: tokio::spawn(server),
    })
}

/// The server counts its grace in seconds; it is never shorter than asked for.
fn whole_seconds(grace: Duration) -> u64 {
    grace
        .as_secs()
        .saturating_add(u64::from(grace.subsec_nanos() > 0))
}

/// Starts the operators' own listener: health and metrics, out of the way of the traffic.
///
/// # Errors
/// When the address cannot be bound.
pub fn start_ops(
    cx: Context,
    listen: SocketAddr,
    render_metrics: Arc<dyn Fn() -> String + Send + Sync>,
) -> std::io::Result<Running> {
    let listener = TcpListener::bind(listen)?;
    let addr = listener.local_addr()?;
    let settings = Settings {
        listen,
        workers: 1,
        native_body_bytes: 0,
        llm_body_bytes: 0,
        request_timeout: Duration::from_secs(5),
        keep_alive: Duration::from_secs(5),
        shutdown_grace: Duration::from_secs(1),
        allowed_hosts: Vec::new(),
    };
    let state = Data::new(State {
        cx,
        settings: Arc::new(settings),
        claims: Claims::default(),
    });
    let metrics = Data::new(Metrics(render_metrics));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .app_data(metrics.clone())
            .configure(routes::private)
    })
    .workers(1)
    .shutdown_timeout(1)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    Ok(Running {
        addr,
        handle,
        task: tokio::spawn(server),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_the_grace_is_lost() {
        for (millis, seconds) in [(1, 1), (999, 1), (1_000, 1), (1_001, 2), (600_000, 600)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds, "{millis}");
        }
    }
}

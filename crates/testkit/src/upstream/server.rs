//! How does the upstream speak HTTP?

use std::any::Any;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use actix_web::dev::{Extensions, ServerHandle};
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt, web};
use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, Ending};
use super::delivery::Delivery;
use super::script::{Outcome, Script, Seen};

/// More than any provider accepts; a gateway's own limit must be the one that strikes.
const LARGEST_BODY: usize = 256 * 1024 * 1024;

/// A connection of the server, so that a fault can cut it.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Option<TcpStream>,
    open: Arc<AtomicUsize>,
}

impl Wire {
    fn new(connection: &dyn Any, open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::SeqCst);
        let stream = connection
            .downcast_ref::<rt::net::TcpStream>()
            .and_then(|stream| stream.as_fd().try_clone_to_owned().ok())
            .map(TcpStream::from);
        Self {
            stream,
            open: Arc::clone(open),
        }
    }

    pub(super) fn cut(&self) {
        if let Some(stream) = &self.stream {
            // It may be closed already, which is what we want.
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A running server and the thread that its runtime lives on.
#[derive(Debug)]
pub(super) struct Server {
    handle: ServerHandle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// Serves on a listener with so many workers, on a thread of its own: tests on any runtime can use it.
    pub(super) fn start(listener: TcpListener, workers: usize, script: Arc<Script>) -> io::Result<Self> {
        let (started, handle) = channel();
        let thread = thread::Builder::new()
            .name("scripted-upstream".to_owned())
            .spawn(move || rt::System::new().block_on(serve(listener, workers, script, started)))?;
        match handle.recv() {
            Ok(handle) => Ok(Self {
                handle,
                thread: Some(thread),
            }),
            Err(_) => Err(match thread.join() {
                Ok(Err(error)) => error,
                _ => io::Error::other("the scripted upstream did not start"),
            }),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The command is sent by the call; the future would only wait for its end, as the join does.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn serve(
    listener: TcpListener,
    workers: usize,
    script: Arc<Script>,
    started: Sender<ServerHandle>,
) -> io::Result<()> {
    let connections = Arc::clone(&script.connections);
    let script = web::Data::from(script);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::clone(&script))
            .app_data(web::PayloadConfig::new(LARGEST_BODY))
            .route("/_control/{command}", web::route().to(control))
            .default_service(web::to(replay))
    })
    .on_connect(move |connection, extensions: &mut Extensions| {
        extensions.insert(Arc::new(Wire::new(connection, &connections)));
    })
    .workers(workers)
    .disable_signals()
    .listen(listener)?
    .run();
    drop(started.send(server.handle()));
    server.await
}

async fn replay(request: HttpRequest, body: Bytes, script: web::Data<Script>) -> HttpResponse {
    let seen = seen(&request, &body);
    let answer = script.answer(&seen.method, &seen.path, &seen.body);
    let number = script.record(seen);
    rt::time::sleep(answer.pace.before).await;
    let wire = request.conn_data::<Arc<Wire>>().map(Arc::clone);
    if answer.pace.ending == Ending::CutBeforeHeaders {
        script.conclude(number, Outcome::Cut);
        if let Some(wire) = wire {
            wire.cut();
        }
        return HttpResponse::BadGateway().finish();
    }
    respond(answer, Delivery::new(script.into_inner(), number, wire))
}

fn respond(answer: Answer, delivery: Delivery) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in &answer.headers {
        response.insert_header((name.as_str(), value.as_str()));
    }
    if answer.is_plain() {
        let body = answer.pieces.concat();
        delivery.end(Outcome::Sent);
        return response.body(body);
    }
    if !answer.streamed {
        let length = u64::try_from(answer.len()).unwrap_or(u64::MAX);
        response.no_chunking(answer.pace.promised.unwrap_or(length));
    }
    response.streaming(delivery.stream(answer))
}

fn seen(request: &HttpRequest, body: &Bytes) -> Seen {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Seen {
        method: request.method().to_string(),
        path: request.path().to_owned(),
        query: request.query_string().to_owned(),
        headers: request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
            .collect(),
        body: text(body),
        outcome: Outcome::Sending,
    }
}

/// The commands for tests in other languages; the Rust ones call the methods of `Scripted`.
async fn control(request: HttpRequest, body: Bytes, script: web::Data<Script>) -> HttpResponse {
    let command = request.match_info().get("command").unwrap_or_default();
    match obey(command, &body, &script) {
        Ok(answer) => HttpResponse::Ok().json(answer),
        Err(message) => HttpResponse::BadRequest().json(json!({"error": message})),
    }
}

fn obey(command: &str, body: &[u8], script: &Script) -> Result<Value, String> {
    let mut body: Value = match body {
        [] => json!({}),
        body => serde_json::from_slice(body).map_err(|error| error.to_string())?,
    };
    let times = body
        .as_object_mut()
        .and_then(|fields| fields.remove("times"))
        .and_then(|times| usize::try_from(times.as_u64()?).ok());
    match command {
        "pin" => script.pin(body.get("id").and_then(Value::as_str), times)?,
        "fault" => {
            let fault = serde_json::from_value(body).map_err(|error| error.to_string())?;
            script.fault(fault, times.unwrap_or(1));
        }
        "reply" => {
            let reply = serde_json::from_value(body).map_err(|error| error.to_string())?;
            script.reply(reply, times);
        }
        "reset" => script.reset(),
        "requests" => {
            return Ok(json!({
                "total": script.total(),
                "open_connections": script.connections.load(Ordering::SeqCst),
                "requests": script.seen(),
            }));
        }
        other => return Err(format!("no command {other}: pin, fault, reply, reset, requests")),
    }
    Ok(json!({"done": command}))
}

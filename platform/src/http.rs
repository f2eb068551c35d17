//! A small HTTP server on its own thread, for what an operator's tools ask a service: health and metrics. It knows paths
//! and texts; the caller decides what they say. Answers are made in place, so they must be quick.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Semaphore, oneshot};

/// Connections at a time; a scraper and a few probes need far fewer.
const CONNECTIONS_MAX: usize = 32;
/// A client that has not sent its request by then is cut off.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that lives longer is closed: no client holds one of the few places for ever.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Content type.
    pub content_type: &'static str,
    /// Body.
    pub body: String,
}

/// Answers a path, `None` when there is nothing.
pub type Route = dyn Fn(&str) -> Option<Answer> + Send + Sync;

/// A server that answers until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Listens on `address` (port 0: a free one) and answers GET requests by `route`.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn start(address: &str, route: Arc<Route>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
            let served = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::select! {
                    () = accept(&listener, &route) => {}
                    _ = stopped => {}
                }
                Ok::<_, io::Error>(())
            });
            if let Err(error) = served {
                tracing::error!(%error, "the HTTP server has ended");
            }
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: &tokio::net::TcpListener, route: &Arc<Route>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file handles, or a client that went away: neither ends the server.
                tracing::warn!(%error, "an HTTP connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let route = route.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(&request, &*route);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(REQUEST_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            // How a client ends its connection is its own affair.
            let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
            drop(place);
        });
    }
}

fn answer(request: &Request<Incoming>, route: &Route) -> Response<Full<Bytes>> {
    let plain = |status, text: &str| Answer { status, content_type: "text/plain", body: text.to_owned() };
    let Answer { status, content_type, body } = match *request.method() {
        Method::GET | Method::HEAD => route(request.uri().path()).unwrap_or_else(|| plain(404, "not found\n")),
        _ => plain(405, "only GET\n"),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn answers_get_until_it_is_dropped() {
        let route = |path: &str| {
            (path == "/live").then(|| Answer { status: 503, content_type: "application/json", body: "{}".to_owned() })
        };
        let server = Server::start("127.0.0.1:0", Arc::new(route)).unwrap();
        let address = server.address();
        let live = ask(address, "GET /live?x=1");
        assert!(live.starts_with("HTTP/1.1 503 ") && live.ends_with("\r\n\r\n{}"), "{live}");
        assert!(live.contains("content-type: application/json"), "{live}");
        assert!(ask(address, "GET /other").starts_with("HTTP/1.1 404 "));
        assert!(ask(address, "POST /live").starts_with("HTTP/1.1 405 "));
        // One that says nothing does not keep the server from ending.
        let _silent = TcpStream::connect(address).unwrap();
        drop(server);
        assert!(TcpStream::connect(address).is_err());
    }
}

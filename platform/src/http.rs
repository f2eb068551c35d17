//! An HTTP server on its own thread: connections, their limits and their end. What is answered is the caller's [`Router`]. Its handlers
//! share one thread, so what takes long belongs on a blocking one.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::{Semaphore, oneshot};

/// Connections at a time; a scraper and a few probes need far fewer.
const CONNECTIONS_MAX: usize = 32;
/// A client that has not sent its request by then is cut off.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that lives longer is closed: no client holds one of the few places for ever.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// A server that answers until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Listens on `address` (port 0: a free one) and answers by `router`, with a short text where that has nothing.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn start(address: &str, router: Router) -> io::Result<Self> {
        let router = router.fallback(|| async { (StatusCode::NOT_FOUND, "not found\n") }).method_not_allowed_fallback(
            || async { (StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed here\n") },
        );
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
            let served = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::select! {
                    () = accept(&listener, &router) => {}
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

async fn accept(listener: &tokio::net::TcpListener, router: &Router) {
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
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use axum::http::header::CONTENT_TYPE;
    use axum::routing::get;

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
    fn answers_until_it_is_dropped() {
        let live = || async { (StatusCode::SERVICE_UNAVAILABLE, [(CONTENT_TYPE, "application/json")], "{}") };
        let server = Server::start("127.0.0.1:0", Router::new().route("/live", get(live))).unwrap();
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

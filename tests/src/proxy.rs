//! An HTTP proxy that does to requests what networks and overloaded services do. It stands before one server and passes
//! on what no fault is planned for; each connection carries one request.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is passed on later.
    Delay(Duration),
    /// It is passed on and done, but its answer is lost: the connection is closed.
    LoseAnswer,
    /// It is lost: the connection is closed.
    LoseRequest,
    /// Only this many bytes of its answer come back.
    CutAnswer(usize),
    /// Only this many bytes of its answer come, then nothing until the proxy ends or [`Proxy::clear`] is called.
    StallAnswer(usize),
    /// The last bit of its answer is flipped.
    FlipBit,
    /// It is answered at once with this status and body, and not passed on.
    Answer(u16, String),
    /// It is passed on without a header of this name, as by a server that does not know it.
    ForgetHeader(String),
    /// It is held, unanswered, until the proxy ends or [`Proxy::clear`] is called.
    Hang,
}

/// Which requests a fault meets, and how often.
#[derive(Debug)]
struct Plan {
    method: String,
    part_of_target: String,
    times_left: u32,
    is_met: bool,
    fault: Fault,
}

#[derive(Debug, Default)]
struct Shared {
    plans: Mutex<Vec<Plan>>,
    seen: Mutex<Vec<String>>,
    ended: AtomicBool,
    /// Counts calls of `clear`: what hangs goes on then.
    cleared: Mutex<u64>,
}

/// A running proxy; ends with the value.
pub struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts one before a server such as `http://127.0.0.1:9000`.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn before(server: &str) -> Self {
        let server = server.strip_prefix("http://").unwrap_or(server).trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::<Shared>::default();
        let state = Arc::clone(&shared);
        let acceptor = thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if state.ended.load(Ordering::SeqCst) {
                    return;
                }
                let (state, server) = (Arc::clone(&state), server.clone());
                // A broken connection is what clients of this proxy are tested with.
                thread::spawn(move || drop(serve(&client, &server, &state)));
            }
        });
        Self { shared, port, acceptor: Some(acceptor) }
    }

    /// URL to give to clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Plans a fault for the next `times` requests of this method (`""` for any) whose path and query hold this text.
    /// Of several that fit the one planned first counts.
    ///
    /// # Panics
    /// When a thread of the proxy did.
    pub fn plan(&self, method: &str, part_of_target: &str, times: u32, fault: Fault) {
        let (method, part_of_target) = (method.to_owned(), part_of_target.to_owned());
        self.shared.plans.lock().unwrap().push(Plan {
            method,
            part_of_target,
            times_left: times,
            is_met: false,
            fault,
        });
    }

    /// Faults that were planned and have met no request.
    ///
    /// # Panics
    /// When a thread of the proxy did.
    #[must_use]
    pub fn unmet(&self) -> Vec<Fault> {
        let plans = self.shared.plans.lock().unwrap();
        plans.iter().filter(|plan| !plan.is_met).map(|plan| plan.fault.clone()).collect()
    }

    /// Forgets all plans and lets go on what hangs.
    ///
    /// # Panics
    /// When a thread of the proxy did.
    pub fn clear(&self) {
        self.shared.plans.lock().unwrap().clear();
        *self.shared.cleared.lock().unwrap() += 1;
    }

    /// Requests so far, as `PUT /bucket/key?query`, in the order they came.
    ///
    /// # Panics
    /// When a thread of the proxy did.
    #[must_use]
    pub fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// How many requests of this method held this text.
    #[must_use]
    pub fn count(&self, method: &str, part_of_target: &str) -> usize {
        let fits = |request: &&String| request.starts_with(&format!("{method} ")) && request.contains(part_of_target);
        self.seen().iter().filter(fits).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.clear();
        // Wakes the acceptor.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn serve(client: &TcpStream, server: &str, state: &Shared) -> io::Result<()> {
    let request = read_request(client)?;
    state.seen.lock().unwrap().push(format!("{} {}", request.method, request.target));
    let fault = planned(state, &request);
    let mut forgotten = None;
    match &fault {
        Some(Fault::Delay(time)) => thread::sleep(*time),
        Some(Fault::LoseRequest) => return client.shutdown(Shutdown::Both),
        Some(Fault::Answer(status, body)) => return answer(client, *status, body),
        Some(Fault::ForgetHeader(name)) => forgotten = Some(name.as_str()),
        Some(Fault::Hang) => hang(state),
        Some(Fault::LoseAnswer | Fault::CutAnswer(_) | Fault::StallAnswer(_) | Fault::FlipBit) | None => {}
    }
    let mut answer = pass_on(&request, server, forgotten)?;
    match fault {
        Some(Fault::LoseAnswer) => return client.shutdown(Shutdown::Both),
        Some(Fault::CutAnswer(bytes)) => answer.truncate(bytes),
        Some(Fault::FlipBit) => answer.last_mut().into_iter().for_each(|last| *last ^= 1),
        Some(Fault::StallAnswer(bytes)) => {
            let mut client = client;
            client.write_all(&answer[..answer.len().min(bytes)])?;
            hang(state);
            return client.shutdown(Shutdown::Both);
        }
        _ => {}
    }
    let mut client = client;
    client.write_all(&answer)?;
    client.shutdown(Shutdown::Both)
}

fn planned(state: &Shared, request: &Request) -> Option<Fault> {
    let mut plans = state.plans.lock().unwrap();
    let fits = |plan: &&mut Plan| {
        plan.times_left > 0
            && (plan.method.is_empty() || plan.method == request.method)
            && request.target.contains(&plan.part_of_target)
    };
    let plan = plans.iter_mut().find(fits)?;
    plan.times_left -= 1;
    plan.is_met = true;
    Some(plan.fault.clone())
}

fn hang(state: &Shared) {
    let before = *state.cleared.lock().unwrap();
    while *state.cleared.lock().unwrap() == before {
        thread::sleep(Duration::from_millis(20));
    }
}

fn read_request(client: &TcpStream) -> io::Result<Request> {
    let mut reader = BufReader::new(client);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers = read_headers(&mut reader)?;
    let value = |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str());
    if value("expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue")) {
        let mut client = client;
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let length = value("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
    assert!(value("transfer-encoding").is_none(), "the proxy passes on bodies of known length only");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Request { method, target, headers, body })
}

fn read_headers(reader: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None => return Ok(headers),
        }
    }
}

/// The whole answer, as it came; the server closes the connection after it.
fn pass_on(request: &Request, server: &str, forgotten: Option<&str>) -> io::Result<Vec<u8>> {
    let mut upstream = TcpStream::connect(server)?;
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    for (name, value) in &request.headers {
        let own = ["connection", "expect"].iter().any(|n| name.eq_ignore_ascii_case(n));
        if !own && !forgotten.is_some_and(|forgotten| name.eq_ignore_ascii_case(forgotten)) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str("Connection: close\r\n\r\n");
    upstream.write_all(head.as_bytes())?;
    upstream.write_all(&request.body)?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    Ok(answer)
}

fn answer(mut client: &TcpStream, status: u16, body: &str) -> io::Result<()> {
    let length = body.len();
    let kind = if body.starts_with("<!DOCTYPE html>") { "text/html" } else { "application/xml" };
    let head = format!("HTTP/1.1 {status} Planned\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n");
    client.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes())?;
    client.shutdown(Shutdown::Both)
}

/// The body of an S3 error.
#[must_use]
pub fn s3_error(code: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>planned</Message></Error>")
}

//! The network between a client and a server that speak any protocol over TCP, and what can go wrong with it. What was
//! sent is never changed and never comes in another order: TCP keeps that promise also on a bad network.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How the network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// All that is sent arrives.
    Fair,
    /// All that is sent arrives, each piece this much later.
    Slow(Duration),
    /// Requests arrive; answers do not.
    AnswersLost,
    /// Requests of Kafka that end a transaction arrive; from then on the answers of their connection do not.
    CommitsUnanswered,
    /// Nothing arrives, and neither side is notified.
    Silent,
    /// Connections are broken, and none can be made.
    Cut,
}

struct Shared {
    weather: Mutex<Weather>,
    /// Counts changes of the weather that break connections.
    broken: AtomicU64,
    connections: AtomicU64,
    ended: AtomicBool,
}

/// A running network before one server; ends with the value.
pub struct Network {
    shared: Arc<Shared>,
    port: u16,
    acceptor: Option<JoinHandle<()>>,
}

/// How long a piece that cannot go on waits before it looks at the weather again.
const LOOK: Duration = Duration::from_millis(10);

/// Where a request of Kafka says what it asks for, behind its length; and the request that ends a transaction.
const API_KEY: std::ops::Range<usize> = 4..6;
const END_TXN: [u8; 2] = 26_u16.to_be_bytes();

impl Network {
    /// A network before a port of this machine, where no process has to listen yet.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            weather: Mutex::new(Weather::Fair),
            broken: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let state = Arc::clone(&shared);
        let acceptor = thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if state.ended.load(Ordering::SeqCst) {
                    return;
                }
                // Broken connections are what clients of this network are tested with.
                let _ = connect(&state, client, server);
            }
        });
        Self { shared, port, acceptor: Some(acceptor) }
    }

    /// The port to give to clients.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes the weather. Connections whose answers were lost are broken: what comes later would make no sense.
    ///
    /// # Panics
    /// When a thread of the network did.
    pub fn set(&self, weather: Weather) {
        let before = std::mem::replace(&mut *self.shared.weather.lock().unwrap(), weather);
        if before == Weather::AnswersLost || weather == Weather::Cut {
            self.shared.broken.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Connections made so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.set(Weather::Cut);
        // Wakes the acceptor.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn connect(shared: &Arc<Shared>, client: TcpStream, server: u16) -> io::Result<()> {
    if *shared.weather.lock().unwrap() == Weather::Cut {
        return client.shutdown(Shutdown::Both);
    }
    let upstream = TcpStream::connect(("127.0.0.1", server))?;
    shared.connections.fetch_add(1, Ordering::SeqCst);
    let since = shared.broken.load(Ordering::SeqCst);
    let is_muted = Arc::new(AtomicBool::new(false));
    for (from, to, are_answers) in
        [(client.try_clone()?, upstream.try_clone()?, false), (upstream.try_clone()?, client.try_clone()?, true)]
    {
        let (shared, is_muted) = (Arc::clone(shared), Arc::clone(&is_muted));
        thread::spawn(move || {
            let _ = pass_on(&shared, &from, &to, are_answers, since, &is_muted);
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        });
    }
    Ok(())
}

/// Passes bytes on, one way, until the connection ends or is broken.
fn pass_on(
    shared: &Shared,
    mut from: &TcpStream,
    mut to: &TcpStream,
    are_answers: bool,
    since: u64,
    is_muted: &AtomicBool,
) -> io::Result<()> {
    from.set_read_timeout(Some(LOOK))?;
    let mut piece = vec![0; 64 << 10];
    while shared.broken.load(Ordering::SeqCst) == since {
        let length = match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => continue,
            Err(error) => return Err(error),
        };
        loop {
            if shared.broken.load(Ordering::SeqCst) != since {
                return Ok(());
            }
            let weather = *shared.weather.lock().unwrap();
            match weather {
                Weather::Fair => to.write_all(&piece[..length])?,
                Weather::Slow(delay) => {
                    thread::sleep(delay);
                    to.write_all(&piece[..length])?;
                }
                Weather::AnswersLost if are_answers => {}
                Weather::AnswersLost => to.write_all(&piece[..length])?,
                Weather::CommitsUnanswered => {
                    if !are_answers && piece[..length].get(API_KEY) == Some(&END_TXN) {
                        is_muted.store(true, Ordering::SeqCst);
                    }
                    if !(are_answers && is_muted.load(Ordering::SeqCst)) {
                        to.write_all(&piece[..length])?;
                    }
                }
                Weather::Silent => {
                    thread::sleep(LOOK);
                    continue;
                }
                Weather::Cut => return Ok(()),
            }
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers each byte with the next one.
    fn server() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut byte = [0];
                    while connection.read_exact(&mut byte).is_ok() {
                        let _ = connection.write_all(&[byte[0] + 1]);
                    }
                });
            }
        });
        port
    }

    fn ask(mut connection: &TcpStream, byte: u8) -> Option<u8> {
        let mut answer = [0];
        connection.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        connection.write_all(&[byte]).ok()?;
        connection.read_exact(&mut answer).ok().map(|()| answer[0])
    }

    #[test]
    fn each_weather_does_what_it_says() {
        let network = Network::before(server());
        let connect = || TcpStream::connect(("127.0.0.1", network.port())).unwrap();
        let connection = connect();
        assert_eq!(ask(&connection, 1), Some(2));
        network.set(Weather::Slow(Duration::from_millis(10)));
        assert_eq!(ask(&connection, 3), Some(4));
        network.set(Weather::Silent);
        assert_eq!(ask(&connection, 5), None);
        network.set(Weather::Fair);
        let mut late = [0];
        (&connection).read_exact(&mut late).unwrap();
        assert_eq!(late, [6], "what was sent arrives when the network is back");
        network.set(Weather::AnswersLost);
        assert_eq!(ask(&connection, 7), None);
        network.set(Weather::Fair);
        thread::sleep(10 * LOOK);
        assert_eq!(ask(&connection, 9), None, "that connection is broken");
        let connection = connect();
        assert_eq!(ask(&connection, 9), Some(10));
        network.set(Weather::Cut);
        assert_eq!(ask(&connect(), 1), None);
        network.set(Weather::Fair);
        assert_eq!(ask(&connect(), 1), Some(2));
        assert_eq!(network.connections(), 3);
    }
}

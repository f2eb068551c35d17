//! A small HTTP server for tests, which answers as long as they run.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// One request as it came.
pub struct Request {
    /// First line and headers.
    pub head: String,
    /// What it brought.
    pub body: Vec<u8>,
}

impl Request {
    /// Value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Starts one on a free port, which gives each request this answer: status and body.
///
/// # Panics
/// When there is no port.
pub fn serve(mut answer: impl FnMut(Request) -> (u16, String) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (status, body) = answer(take(&stream));
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            // The client may have closed the connection.
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    address
}

fn take(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "the request ended in {head:?}");
    }
    let mut request = Request { head, body: Vec::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body.resize(length, 0);
    reader.read_exact(&mut request.body).unwrap();
    request
}

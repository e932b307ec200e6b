//! A receiver of Alertmanager's webhook JSON: keeps what it was told.

use parking_lot::Mutex;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use crate::until;

/// A receiver on a free port, for as long as the test runs.
pub struct Webhook {
    url: String,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Webhook {
    /// Begins to listen.
    #[must_use]
    pub fn start() -> Webhook {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
        let told = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&told);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let to = Arc::clone(&to);
                thread::spawn(move || take(&stream, &to));
            }
        });
        Webhook { url, told }
    }

    /// Where alerts are to be sent.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until a notification is what is looked for, and returns what was found in it.
    pub fn told<T>(&self, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        until(what, || self.told.lock().iter().find_map(&find))
    }

    /// All notifications so far.
    #[must_use]
    pub fn all(&self) -> Vec<Value> {
        self.told.lock().clone()
    }
}

/// Requests of one connection until it ends.
fn take(stream: &TcpStream, to: &Mutex<Vec<Value>>) {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            if let Some((key, value)) = line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case("content-length")) {
                length = value.trim().parse().unwrap_or_else(|e| panic!("{key}: {e}"));
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        to.lock().push(serde_json::from_slice(&body).unwrap_or(Value::Null));
        if writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
            return;
        }
    }
}

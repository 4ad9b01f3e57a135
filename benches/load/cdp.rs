//! A raw CDP client on top of [`Ws`] with the functions that the benches need.

use std::{
    io::{self, Write as _},
    net::Shutdown,
    thread,
    time::Instant,
};

use serde_json::{Value, json};

use super::ws::{Ws, frame};

/// A connection and the CDP session of its page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) ws: Ws,
    pub(crate) session: String,
    last: i32,
}

/// A connection before there is a page.
#[derive(Debug)]
pub(crate) struct Root {
    ws: Ws,
    last: i32,
}

impl Root {
    pub(crate) fn new(ws: Ws) -> Self {
        Self { ws, last: 0 }
    }

    pub(crate) fn call(&mut self, method: &str, params: &Value) -> io::Result<Value> {
        call(&mut self.ws, &mut self.last, None, method, params)
    }

    pub(crate) fn call_on(&mut self, session: &str, method: &str, params: &Value) -> io::Result<Value> {
        call(&mut self.ws, &mut self.last, Some(session), method, params)
    }

    /// Attaches to a page, which makes it the connection's.
    pub(crate) fn attach(mut self, target: &str) -> io::Result<Page> {
        let attached = self.call("Target.attachToTarget", &json!({ "targetId": target, "flatten": true }))?;
        Ok(Page { ws: self.ws, session: text(&attached["sessionId"])?, last: self.last })
    }

    /// The params of the next event of this method.
    pub(crate) fn event(&mut self, method: &str) -> io::Result<Value> {
        loop {
            let message: Value = serde_json::from_slice(self.ws.receive()?)?;
            if message["method"] == method {
                return Ok(message["params"].clone());
            }
        }
    }

    pub(crate) fn send(&mut self, method: &str, params: &Value) -> io::Result<()> {
        self.last += 1;
        self.ws.send(json!({ "id": self.last, "method": method, "params": params }).to_string().as_bytes())
    }
}

/// The outcome of many commands sent at once.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    /// The replies without an error; `null` for large ones.
    pub(crate) results: Vec<Value>,
    /// The number of errors.
    pub(crate) refused: usize,
    /// The first of them.
    pub(crate) refusal: Option<String>,
}

/// Replies above this many bytes are not kept.
const KEPT: usize = 4096;
/// The number of bytes written at once.
const WRITTEN: usize = 64 * 1024;

impl Root {
    /// Writes `count` commands as fast as the socket takes them while it reads the replies, until
    /// `answers` of them have arrived. `make` returns the text of a command from its id and its
    /// index. If `until` passes before, the connection is closed and the result is an error.
    pub(crate) fn burst(
        &mut self,
        count: usize,
        answers: usize,
        until: Instant,
        make: impl Fn(i32, usize) -> String + Sync,
    ) -> io::Result<Burst> {
        let first = self.last + 1;
        self.last += i32::try_from(count).map_err(io::Error::other)?;
        let (mut writer, stopper) = (self.ws.writer()?, self.ws.writer()?);
        let write = || -> io::Result<()> {
            let mut out = Vec::new();
            for (id, place) in (first..).zip(0..count) {
                frame(&mut out, make(id, place).as_bytes());
                if out.len() > WRITTEN {
                    writer.write_all(&out)?;
                    out.clear();
                }
            }
            writer.write_all(&out)
        };
        thread::scope(|scope| {
            let writing = scope.spawn(write);
            let read = self.ws.replies(answers, until);
            if read.is_err() {
                // The other thread may be blocked in a write.
                let _ = stopper.shutdown(Shutdown::Both);
            }
            let written = writing.join().map_err(|_| io::Error::other("the writer panicked"))?;
            read.and_then(|burst| written.map(|()| burst))
        })
    }

    /// The socket, for acts that do not read.
    pub(crate) fn ws(&mut self) -> &mut Ws {
        &mut self.ws
    }
}

impl Ws {
    fn replies(&mut self, count: usize, until: Instant) -> io::Result<Burst> {
        let mut burst = Burst::default();
        while burst.results.len() + burst.refused < count {
            if Instant::now() > until {
                let text = format!("given up after {} of {count} answers", burst.results.len() + burst.refused);
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            let message = self.receive()?;
            let Some(rest) = message.strip_prefix(b"{\"id\":") else { continue };
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'-').count();
            if rest[digits..].starts_with(b",\"error\"") {
                burst.refused += 1;
                burst.refusal.get_or_insert_with(|| String::from_utf8_lossy(&rest[digits..]).into_owned());
            } else if message.len() <= KEPT {
                burst.results.push(serde_json::from_slice::<Value>(message)?["result"].take());
            } else {
                burst.results.push(Value::Null);
            }
        }
        Ok(burst)
    }
}

impl Page {
    /// Uses a connection as that of a page.
    pub(crate) fn plain(ws: Ws, session: String) -> Self {
        Self { ws, session, last: 0 }
    }

    /// Its connection, and its CDP session there.
    pub(crate) fn into_root(self) -> (Root, String) {
        (Root { ws: self.ws, last: self.last }, self.session)
    }

    pub(crate) fn call(&mut self, method: &str, params: &Value) -> io::Result<Value> {
        call(&mut self.ws, &mut self.last, Some(&self.session), method, params)
    }

    pub(crate) fn evaluate(&mut self, expression: &str) -> io::Result<Value> {
        self.call("Runtime.evaluate", &json!({ "expression": expression, "returnByValue": true }))
    }

    /// The text of a command with a new id.
    pub(crate) fn command(&mut self, method: &str, params: &str, on_page: bool) -> String {
        self.last += 1;
        command(self.last, method, params, on_page.then_some(self.session.as_str()))
    }

    /// Waits for the reply to the last command; returns its length.
    pub(crate) fn reply(&mut self) -> io::Result<usize> {
        let head = format!("{{\"id\":{},", self.last);
        loop {
            let message = self.ws.receive()?;
            if message.starts_with(head.as_bytes()) {
                if message[head.len()..].starts_with(b"\"error\"") {
                    return Err(io::Error::other(String::from_utf8_lossy(message).into_owned()));
                }
                return Ok(message.len());
            }
        }
    }
}

/// A command in the form in which clients write it.
pub(crate) fn command(id: i32, method: &str, params: &str, session: Option<&str>) -> String {
    match session {
        Some(session) => format!(r#"{{"id":{id},"method":"{method}","params":{params},"sessionId":"{session}"}}"#),
        None => format!(r#"{{"id":{id},"method":"{method}","params":{params}}}"#),
    }
}

fn call(ws: &mut Ws, last: &mut i32, session: Option<&str>, method: &str, params: &Value) -> io::Result<Value> {
    *last += 1;
    ws.send(command(*last, method, &params.to_string(), session).as_bytes())?;
    loop {
        let message: Value = serde_json::from_slice(ws.receive()?)?;
        if message["id"] == *last {
            return match message.get("error") {
                Some(error) => Err(io::Error::other(format!("{method}: {error}"))),
                None => Ok(message["result"].clone()),
            };
        }
    }
}

pub(crate) fn text(value: &Value) -> io::Result<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| io::Error::other(format!("no text: {value}")))
}

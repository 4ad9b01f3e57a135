//! A raw CDP client on top of [`Ws`]: no more than the benches need.

use std::io;

use serde_json::{Value, json};

use super::ws::Ws;

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

impl Page {
    /// A connection that is taken for a page.
    pub(crate) fn plain(ws: Ws, session: String) -> Self {
        Self { ws, session, last: 0 }
    }

    pub(crate) fn call(&mut self, method: &str, params: &Value) -> io::Result<Value> {
        call(&mut self.ws, &mut self.last, Some(&self.session), method, params)
    }

    pub(crate) fn evaluate(&mut self, expression: &str) -> io::Result<Value> {
        self.call("Runtime.evaluate", &json!({ "expression": expression, "returnByValue": true }))
    }

    /// A command as text, with an id of its own.
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

/// A command as a client writes it.
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

//! A name server that answers as it is told.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::net::UdpSocket;

/// The answers to each question, in order; the last one is repeated. An answer is a list of IPv4 addresses.
type Answers = Vec<Vec<[u8; 4]>>;

#[derive(Default)]
struct State {
    names: HashMap<String, Answers>,
    asked: Vec<String>,
    is_silent: bool,
}

pub(super) struct Dns {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Dns {
    pub(super) async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let address = socket.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State::default()));
        let served = state.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                if let Some(answer) = answer(&buffer[..length], &mut served.lock().expect("no panic")) {
                    let _ = socket.try_send_to(&answer, from);
                }
            }
        });
        Self { address, state }
    }

    /// What it answers for a name, one after the other. Other names do not exist.
    pub(super) fn answer(&self, name: &str, answers: &[&[[u8; 4]]]) {
        let answers = answers.iter().map(|answer| answer.to_vec()).collect();
        self.state.lock().expect("no panic").names.insert(name.to_owned(), answers);
    }

    pub(super) fn be_silent(&self) {
        self.state.lock().expect("no panic").is_silent = true;
    }

    /// The names that it was asked for.
    pub(super) fn asked(&self) -> Vec<String> {
        self.state.lock().expect("no panic").asked.clone()
    }
}

fn answer(query: &[u8], state: &mut State) -> Option<Vec<u8>> {
    let mut labels = Vec::new();
    let mut at = 12;
    while let length @ 1.. = usize::from(*query.get(at)?) {
        labels.push(String::from_utf8_lossy(query.get(at + 1..at + 1 + length)?).to_lowercase());
        at += 1 + length;
    }
    let question = query.get(12..at + 5)?;
    let is_v4 = query.get(at + 1..at + 3)? == [0, 1];
    let name = labels.join(".");
    state.asked.push(name.clone());
    if state.is_silent {
        return None;
    }
    let addresses = match state.names.get_mut(&name) {
        Some(_) if !is_v4 => Some(Vec::new()),
        Some(answers) if answers.len() > 1 => Some(answers.remove(0)),
        Some(answers) => answers.first().cloned(),
        None => None,
    };
    let code = if addresses.is_some() { 0 } else { 3 };
    let addresses = addresses.unwrap_or_default();
    let count = u8::try_from(addresses.len()).expect("a few addresses");
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    reply.extend(question);
    for address in addresses {
        // The name of the question, A, IN, no time to live.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        reply.extend(address);
    }
    Some(reply)
}

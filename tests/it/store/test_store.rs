//! `TestStore`: a store for one test, and direct access to its file or Redis.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use ghostmux::{
    config::{Config, RawConfig, StoreLimits, StorePlace, StoreSettings},
    store::{Meta, Store},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _, TableDefinition};

const CHUNKS: TableDefinition<'_, (u128, u32), &[u8]> = TableDefinition::new("chunks");
const SNAPSHOTS: TableDefinition<'_, (&str, u128), &[u8]> = TableDefinition::new("snapshots");
const SESSIONS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sessions");

/// Two different keys.
pub(crate) const KEY_ONE: &str = "one:1111111111111111111111111111111111111111111111111111111111111111";
pub(crate) const KEY_TWO: &str = "two:2222222222222222222222222222222222222222222222222222222222222222";

/// Dropping it ends its server and removes its files.
pub(crate) struct TestStore {
    directory: tempfile::TempDir,
    redis: Option<Child>,
    pub(crate) keys: String,
    pub(crate) limits: StoreLimits,
}

impl TestStore {
    pub(crate) fn embedded() -> Self {
        let directory = tempfile::Builder::new().prefix("ghostmux-it-").tempdir().expect("a directory");
        let limits = StoreLimits { snapshot: 1 << 30, bytes: 1 << 40, count: 1000 };
        Self { directory, redis: None, keys: String::new(), limits }
    }

    pub(crate) fn redis() -> Self {
        let mut test_store = Self::embedded();
        test_store.start_redis();
        test_store
    }

    pub(crate) fn start_redis(&mut self) {
        let started = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket", "redis.sock"])
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        self.redis = Some(started.expect("redis-server starts; scripts/setup.sh test installs it"));
        let (socket, since) = (self.directory.path().join("redis.sock"), Instant::now());
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(since.elapsed() < Duration::from_secs(30), "redis-server does not listen on {}", socket.display());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn stop_redis(&mut self) {
        if let Some(mut redis) = self.redis.take() {
            redis.kill().expect("it runs");
            redis.wait().expect("it ends");
        }
    }

    /// Makes it answer nothing, or answer again.
    pub(crate) fn pause_redis(&self, is_paused: bool) {
        let redis = self.redis.as_ref().and_then(|redis| i32::try_from(redis.id()).ok()).expect("it runs");
        let signal = if is_paused { Signal::SIGSTOP } else { Signal::SIGCONT };
        kill(Pid::from_raw(redis), signal).expect("it runs");
    }

    /// Writes what it knows to its file, which it reads when it is started again.
    pub(crate) fn save_redis(&self) {
        let saved: String = self.ask(&mut redis::cmd("SAVE"));
        assert_eq!(saved, "OK");
    }

    /// Sets the keys in the settings.
    pub(crate) fn use_keys(&mut self, keys: &str) {
        keys.clone_into(&mut self.keys);
    }

    /// The value for `--store`.
    pub(crate) fn argument(&self) -> String {
        match &self.redis {
            Some(_) => format!("unix://{}", self.directory.path().join("redis.sock").display()),
            None => self.file().display().to_string(),
        }
    }

    /// The path of the embedded store's file.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("below/store.redb")
    }

    /// A path beside the store's file, for a file of the test.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn settings(&self) -> StoreSettings {
        let mut variables = vec![("GHOSTMUX_STORE".to_owned(), self.argument())];
        if !self.keys.is_empty() {
            variables.push(("GHOSTMUX_STORE_KEY".to_owned(), self.keys.clone()));
        }
        let settings = Config::load(RawConfig::default(), variables).expect("settings").store_settings();
        assert_eq!(matches!(settings.place, StorePlace::Redis(_)), self.redis.is_some());
        StoreSettings { limits: self.limits, ..settings }
    }

    pub(crate) fn open(&self) -> Store {
        Store::new(&self.settings())
    }

    /// The number of stored chunks, listed or not. No other process may have the file open.
    pub(crate) fn chunks(&self) -> u64 {
        if self.redis.is_some() {
            let blobs: Vec<String> = self.ask(redis::cmd("KEYS").arg("ghostmux:blob:*"));
            return blobs.iter().map(|blob| self.ask::<u64>(redis::cmd("HLEN").arg(blob))).sum();
        }
        let file = Database::open(self.file()).expect("it opens");
        let chunks = file.begin_read().expect("it can be read").open_table(CHUNKS).expect("the table");
        chunks.len().expect("a number")
    }

    /// Replaces one chunk by the result of `change`. No other process may have the file open.
    pub(crate) fn change_chunk(&self, meta: &Meta, number: u32, change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) {
        if self.redis.is_some() {
            let blob = format!("ghostmux:blob:{}", meta.blob);
            let chunk = self.ask(redis::cmd("HGET").arg(&blob).arg(number));
            match change(chunk) {
                Some(chunk) => self.ask::<()>(redis::cmd("HSET").arg(&blob).arg(number).arg(chunk)),
                None => self.ask::<()>(redis::cmd("HDEL").arg(&blob).arg(number)),
            }
            return;
        }
        let file = Database::open(self.file()).expect("it opens");
        let transaction = file.begin_write().expect("it can be written");
        {
            let mut chunks = transaction.open_table(CHUNKS).expect("the table");
            let at = (number_of(&meta.blob.to_string()), number);
            let chunk = chunks.remove(at).expect("it is read").expect("it is there").value().to_vec();
            if let Some(chunk) = change(chunk) {
                chunks.insert(at, &*chunk).expect("written");
            }
        }
        transaction.commit().expect("committed");
    }

    /// Replaces the record of a snapshot. No other process may have the file open.
    pub(crate) fn change_meta(&self, meta: &Meta, change: impl FnOnce(&mut serde_json::Value)) {
        let mut json = serde_json::to_value(meta).expect("JSON");
        change(&mut json);
        self.write_meta(meta, &json.to_string());
    }

    /// Replaces the record of a snapshot by this text, valid or not.
    pub(crate) fn write_meta(&self, meta: &Meta, record: &str) {
        if self.redis.is_some() {
            let key = format!("ghostmux:snapshots:{}", meta.owner);
            return self.ask::<()>(redis::cmd("HSET").arg(key).arg(meta.id.to_string()).arg(record));
        }
        let file = Database::open(self.file()).expect("it opens");
        let transaction = file.begin_write().expect("it can be written");
        let key = (meta.owner.as_str(), number_of(&meta.id.to_string()));
        let mut table = transaction.open_table(SNAPSHOTS).expect("the table");
        assert!(table.get(key).expect("it is read").is_some());
        table.insert(key, record.as_bytes()).expect("written");
        drop(table);
        transaction.commit().expect("committed");
    }

    /// Writes the record of a session, valid or not. No other process may have the file open.
    pub(crate) fn write_session(&self, id: &str, record: &str) {
        if self.redis.is_some() {
            return self.ask::<()>(redis::cmd("HSET").arg("ghostmux:sessions").arg(id).arg(record));
        }
        let file = Database::open(self.file()).expect("it opens");
        let transaction = file.begin_write().expect("it can be written");
        transaction.open_table(SESSIONS).expect("the table").insert(id, record.as_bytes()).expect("written");
        transaction.commit().expect("committed");
    }

    pub(crate) fn ask<T: redis::FromRedisValue>(&self, command: &mut redis::Cmd) -> T {
        let client = redis::Client::open(self.argument()).expect("an address");
        command.query(&mut client.get_connection().expect("it answers")).expect("an answer")
    }
}

impl Drop for TestStore {
    fn drop(&mut self) {
        self.stop_redis();
    }
}

fn number_of(id: &str) -> u128 {
    u128::from_str_radix(&id.replace('-', ""), 16).expect("a UUID")
}

//! What a tool answers, kept as a file of the session: a model need not read it, `browser_file_upload` takes it, and others
//! read it by HTTP.

use std::io;

use bytes::Bytes;
use data_encoding::BASE64;
use futures_util::stream;
use serde::Deserialize;

use super::{
    agent::{Agent, read},
    result::{Failure, Shown},
};
use crate::{
    api_types::operations::{PageSnapshot, PutFile},
    runtime,
};

impl Agent<'_> {
    /// Keeps a text from the page if the agent has named a file, or else shows it.
    pub(super) async fn shown_or_kept(&self, filename: Option<String>, shown: Shown) -> Result<Shown, Failure> {
        match filename {
            Some(name) => self.keep(name, shown.into_page().into_bytes()).await,
            None => Ok(shown),
        }
    }

    /// Keeps a snapshot of the current page, of any length. The agent has not seen it.
    pub(super) async fn keep_snapshot(&self, name: String, snapshot: PageSnapshot) -> Result<Shown, Failure> {
        #[derive(Deserialize)]
        struct Taken {
            snapshot: String,
        }

        let Taken { snapshot } = self.ask(snapshot).await?;
        self.keep(name, snapshot.into_bytes()).await
    }

    /// Keeps a content that Chrome has given in base64.
    pub(super) async fn keep_base64(&self, name: String, data: &str) -> Result<Shown, Failure> {
        let content = runtime::aside(data.len(), || BASE64.decode(data.as_bytes()));
        let content = content.map_err(|_| Failure::Words("Chrome's answer is not base64.".to_owned()))?;
        self.keep(name, content).await
    }

    /// Keeps a content as a file of the session.
    pub(super) async fn keep(&self, name: String, content: Vec<u8>) -> Result<Shown, Failure> {
        #[derive(Deserialize)]
        struct Kept {
            name: String,
            size: u64,
        }

        let size = u64::try_from(content.len()).ok();
        let content = stream::iter([Ok::<_, io::Error>(Bytes::from(content))]);
        let wanted = PutFile { id: Some(self.session.clone()), name };
        let reply = Box::pin(self.manager.put_file(self.caller, wanted, size, content)).await?;
        let Kept { name, size } = read(&reply)?;
        let session = &self.session;
        Ok(Shown::saying(format!(
            "Saved as {name:?}, {size} bytes. browser_file_upload takes it; GET /v1/sessions/{session}/files/NAME gives it."
        )))
    }
}

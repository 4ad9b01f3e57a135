//! The operations on the files of sessions.

use std::{fs::File, io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::Stream;

use super::{Handle, SessionManager, service::own};
use crate::session::{error::ServiceError, id::SessionId, session_files::SessionFiles};
use crate::{
    api_types::{
        Bad, Download, DownloadList, FileList, Millis, Nothing, Reply,
        operations::{
            DeleteDownload, DeleteFile, FileRequest, GetDownload, GetFile, ListDownloads, ListFiles, PutFile, WAIT_MOST,
        },
        paged,
    },
    session::task::{Caller, Control},
};

/// Longest time that a request waits for a download.
const LONGEST_WAIT: Duration = Duration::from_millis(WAIT_MOST);

impl SessionManager {
    pub(super) async fn perform_on_files(
        &self,
        caller: &Caller,
        from: Option<&str>,
        request: FileRequest,
    ) -> Result<Reply, ServiceError> {
        Ok(match request {
            FileRequest::ListDownloads(ListDownloads { id, wait, limit, cursor }) => {
                let (files, _) = self.files_of(caller, &own(id, from)?).await?;
                self.wait_for(&files, None, wait).await?;
                let downloads = files.list_downloads().downloads;
                let (downloads, next) = paged(downloads, limit, cursor.as_deref(), |download| download.id.clone())?;
                Reply::of::<ListDownloads>(&DownloadList { downloads, next })
            }
            FileRequest::DeleteDownload(DeleteDownload { id, download }) => {
                let (files, handle) = self.files_of(caller, &own(id, from)?).await?;
                if files.delete_download(&download)?
                    && let Some(handle) = handle
                {
                    // A session that has just ended has canceled it.
                    let _ = handle.control.send(Box::new(Control::CancelDownload(download))).await;
                }
                Reply::of::<DeleteDownload>(&Nothing {})
            }
            FileRequest::ListFiles(ListFiles { id, limit, cursor }) => {
                let (files, _) = self.files_of(caller, &own(id, from)?).await?;
                let (files, next) =
                    paged(files.list_files().files, limit, cursor.as_deref(), |file| file.name.clone())?;
                Reply::of::<ListFiles>(&FileList { files, next })
            }
            FileRequest::DeleteFile(DeleteFile { id, name }) => {
                let (files, _) = self.files_of(caller, &own(id, from)?).await?;
                files.delete_file(&name).await?;
                Reply::of::<DeleteFile>(&Nothing {})
            }
            FileRequest::GetDownload(_) | FileRequest::GetFile(_) | FileRequest::PutFile(_) => {
                return Err(Bad::new("params", "is for HTTP alone: the content is a stream").into());
            }
        })
    }

    /// The content of a download.
    pub async fn download(&self, caller: &Caller, wanted: GetDownload) -> Result<(Download, File), ServiceError> {
        self.permit(caller, None, &wanted.clone().into())?;
        let GetDownload { id, download, wait } = wanted;
        let (files, _) = self.files_of(caller, &own(id, None)?).await?;
        self.wait_for(&files, Some(&download), wait).await?;
        Ok(files.open_download(&download).await?)
    }

    /// The name and the content of a file that was uploaded.
    pub async fn file(&self, caller: &Caller, wanted: GetFile) -> Result<(String, File), ServiceError> {
        self.permit(caller, None, &wanted.clone().into())?;
        let GetFile { id, name } = wanted;
        let (files, _) = self.files_of(caller, &own(id, None)?).await?;
        Ok(files.open_file(&name).await?)
    }

    /// Stores a file for the pages of a session. `size` is what the client announced.
    pub async fn put_file(
        &self,
        caller: &Caller,
        wanted: PutFile,
        size: Option<u64>,
        content: impl Stream<Item = io::Result<Bytes>>,
    ) -> Result<Reply, ServiceError> {
        self.permit(caller, None, &wanted.clone().into())?;
        let PutFile { id, name } = wanted;
        let (files, _) = self.files_of(caller, &own(id, None)?).await?;
        Ok(Reply::of::<PutFile>(&files.put(&name, size, content).await?))
    }

    async fn wait_for(
        &self,
        files: &SessionFiles,
        download: Option<&str>,
        wait: Option<Millis>,
    ) -> Result<(), ServiceError> {
        let Some(Millis(wait)) = wait else { return Ok(()) };
        if wait > LONGEST_WAIT {
            return Err(Bad::new("wait", format!("is longer than {} s", LONGEST_WAIT.as_secs())).into());
        }
        tokio::select! {
            () = files.wait(download, wait) => {}
            // A server that ends waits for its connections.
            () = self.inner.draining.cancelled() => {}
        }
        Ok(())
    }

    /// The files of a session of the caller: of one that runs, with its handle, or those that are kept of one that does not.
    async fn files_of(&self, caller: &Caller, id: &str) -> Result<(Arc<SessionFiles>, Option<Handle>), ServiceError> {
        let handle = match self.meant(caller, id)? {
            Some(handle) => handle,
            None => match self.inner.files.of(&SessionId::new(caller.owner(), id)) {
                Some(files) => return Ok((files, None)),
                // Refused as every request for such a session.
                None => self.find(caller, id).await?,
            },
        };
        let files = handle.files.get().cloned();
        files.map(|files| (files, Some(handle))).ok_or_else(|| ServiceError::Queued(id.to_owned()))
    }

    /// Removes files that were kept for long enough, in an endless loop.
    pub async fn clean_files(&self) {
        self.inner.files.keep_clean().await;
    }
}

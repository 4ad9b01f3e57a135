//! Performs the actions that the virtual browser returns, and handles jobs that have finished.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;

use super::{SessionTask, jobs::Done, now, views::Sink};
use crate::{
    api_types::{DownloadFinished, Event as _},
    cdp::error::CdpError,
    close_reason::CloseReason,
    port::{FromBrowser, Reply, Tag},
    runtime,
    session::{
        extensions,
        profile_holders::ProfileHold,
        session_files::{self, Noted},
    },
    virtual_browser::{Action, DownloadNote, ViewId},
};

/// An event begins like this: Chrome writes the method first, and so does the proxy.
const EVENT: &str = r#"{"method":"#;
/// When a client leaves, a page without a reply is not waited for after this time.
const STUCK: Duration = Duration::from_secs(5);

impl SessionTask {
    pub(super) fn on_frame(&mut self, view: ViewId, text: Bytes) {
        self.record.traffic.frames_in += 1;
        self.record.traffic.bytes_in += text.len() as u64;
        self.latency.on_command(view, &text, now);
        if text.len() > self.terms.max_client_frame {
            self.session.on_too_large(view, text.len(), self.terms.max_client_frame);
            self.perform();
        } else {
            // The frame is checked and encoded here.
            runtime::aside(text.len(), || {
                self.session.on_client(view, text);
                self.perform();
            });
        }
    }

    pub(super) fn perform(&mut self) {
        loop {
            let actions = self.session.poll_actions();
            if actions.is_empty() {
                break;
            }
            for action in actions {
                self.act(action);
            }
        }
        let malformed = std::mem::take(&mut self.session.malformed);
        self.record.traffic.malformed += malformed;
        let metrics = &self.terms.metrics;
        metrics.frames_malformed.inc_by(malformed);
        metrics.commands_refused.inc_by(std::mem::take(&mut self.session.refused));
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::ToClient(to, frame) => match self.views.get_mut(to).map(|view| &mut view.sink) {
                Some(Sink::Socket(socket)) if socket.leaving.is_none() => {
                    let traffic = &mut self.record.traffic;
                    traffic.frames_out += 1;
                    traffic.bytes_out += frame.len() as u64;
                    traffic.events += u64::from(frame.starts_with(EVENT));
                    if let Some(took) = self.latency.on_frame(to, &frame, now) {
                        self.terms.metrics.command_time.observe(took);
                    }
                    socket.client.queue(frame, now());
                    let (queued, queue) = (socket.client.queued(), self.terms.queue);
                    if queued > queue.hard && !socket.client.is_one_message() {
                        self.cut(to, queued, queue.hard);
                    } else if socket.client.is_condemned() {
                        self.cut(to, queued, queue.total);
                    }
                }
                Some(Sink::Rpc(calls)) => calls.on_frame(frame),
                // The client has gone, or is being disconnected.
                Some(Sink::Socket(_)) | None => {}
            },
            Action::Pass(text) => {
                if let Err(error) = self.lease.pass(&text) {
                    self.session.on_unsent(text, &error);
                }
            }
            Action::Navigate(on, text) => {
                if let Err(error) = self.lease.navigate(on, &text) {
                    self.session.on_unsent(text, &error);
                }
            }
            Action::Call(tag, call) => self.lease.call(tag, call),
            Action::NewContext(tag, new) => {
                if let Err(error) = self.lease.new_context(tag, &new) {
                    self.session.on_browser(FromBrowser::Reply { tag, reply: Reply::Error(error) });
                }
            }
            Action::Resume(on, children, how) => self.lease.resume(on, children, how),
            Action::AutoAttach(tag, root, interest) => self.lease.auto_attach(tag, root, interest),
            Action::IgnoreCertificateErrors(tag, ignore) => self.lease.ignore_certificate_errors(tag, ignore),
            Action::Detach(tag, session) => self.lease.detach(tag, session),
            Action::Directory(path) => match self.files.make_downloads(&path) {
                Ok(()) => self.lease.directory(path),
                Err(error) => {
                    let session = &**self.record.id();
                    tracing::error!(session, %error, path = %path.display(), "the directory for downloads could not be made");
                }
            },
            Action::Listen => self.lease.listen(),
            Action::Note(note) => self.on_note(note),
            Action::Move(tag, wish) => {
                self.jobs.push(async move { Done::Moved(tag, session_files::place_first(wish.ways).await) }.boxed());
            }
            Action::CheckFiles(tag, directory, paths) => {
                self.jobs
                    .push(async move { Done::Checked(tag, session_files::all_inside(directory, paths).await) }.boxed());
            }
            Action::FindExtension(tag, directory, path) => {
                self.jobs.push(
                    async move { Done::FoundExtension(tag, extensions::inside(&directory, &path).await) }.boxed(),
                );
            }
            Action::ShowExtension(id) => self.lease.show_extension(id),
            Action::KeepExtension(id, path) => {
                let kept = self.profile.as_ref().and_then(ProfileHold::directory);
                if let Some(Err(error)) = kept.map(|kept| kept.keep_extension(&id, path.as_deref())) {
                    let session = &**self.record.id();
                    tracing::warn!(session, extension = id, %error, "the extensions of the user data could not be noted");
                }
            }
            Action::Claim(tag) => {
                let alone = self.lease.claim();
                self.session.on_claimed(tag, alone);
            }
            Action::Unclaim => self.lease.unclaim(),
            Action::Remind(tag) => {
                let late = tokio::time::sleep(STUCK);
                self.jobs.push(
                    async move {
                        late.await;
                        Done::Late(tag)
                    }
                    .boxed(),
                );
            }
            Action::Permit(tag, pixels) => {
                let permit = self.lease.permit(pixels);
                self.jobs.push(async move { Done::Permitted(tag, permit.await) }.boxed());
            }
            Action::Ghost(tag, view, request) => self.on_ghost(tag, view, *request),
            Action::Close(view, reason) => self.send_away(view, &reason),
            Action::End => self.over = Some(CloseReason::ClosedByClient("Browser.close")),
        }
    }

    /// Notes an event of a download in the list of the session's.
    fn on_note(&mut self, note: DownloadNote) {
        let Noted { finished, cancel } = self.files.on_download(note);
        if let Some(guid) = cancel {
            tracing::info!(
                session = &**self.record.id(),
                guid,
                "a download is canceled, because it takes too much of the disk"
            );
            self.session.cancel(&guid);
        }
        if let Some(download) = finished {
            // Sent with the actions that follow.
            self.tell_each(DownloadFinished::NAME, &DownloadFinished { download }.params());
        }
    }

    pub(super) fn on_done(&mut self, done: Done) {
        match done {
            Done::Came(coming, client) => self.on_came(coming, client),
            Done::RpcRoot(root) => self.on_rpc_root(root),
            Done::PageAttached(page, attached) => self.on_page_attached(&page, attached),
            Done::Moved(tag, to) => self.session.on_moved(tag, to),
            Done::Checked(tag, inside) => self.session.on_files(tag, inside),
            Done::FoundExtension(tag, extension) => self.session.on_extension(tag, extension),
            Done::Late(tag) => self.session.settle_leaving(tag),
            Done::Permitted(tag, permit) => self.session.on_permit(tag, permit),
            Done::Asked(tag, answer) => self.answer_asked(tag, answer),
            Done::Used(tag, usage) => self.answer_usage(tag, &usage),
            Done::Hibernated(since, saved) => self.on_hibernated(since, saved),
            Done::Saved(since, saved) => self.on_saved(since, saved),
            Done::ReleasedDialogs(page) => self.session.release_dialogs(&page),
            Done::Nothing => {}
        }
        self.perform();
    }

    /// Passes the result of a `ghost` command to the virtual browser, which replies to the client.
    pub(super) fn answer_ghost(&mut self, tag: Tag, answer: Result<String, CdpError>) {
        let reply = answer.map_or_else(Reply::Error, Reply::Result);
        self.session.on_browser(FromBrowser::Reply { tag, reply });
        self.perform();
    }
}

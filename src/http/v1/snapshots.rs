//! The content of snapshots, which can be as large as the store allows: an import and an export as a stream.

use std::{io, time::Duration};

use axum::{
    body::{Body as AxumBody, HttpBody as _},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Map, Value};
use tokio_util::io::ReaderStream;

use super::{
    super::{
        reply::{Answer, Problem, compact, created, stream as answer_with},
        request::{By, Id, LargeBody, Query},
    },
    query::Members,
};
use crate::{
    api_types::{
        self, Bad, Label, Reply, Saved, SnapshotFormat,
        operations::{ExportSnapshot, ImportSnapshot},
    },
    runtime,
    session::manager::SessionManager,
    snapshot::repository::HELD_MOST,
};

/// How long the next piece of an import may take to arrive.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of a refused body that are still read: a client that is still sending would otherwise not receive the
/// reason.
const DRAINED: usize = 512 << 20;
const DRAINING: Duration = Duration::from_secs(10);
/// The header with the number of items that the format cannot hold.
const OMITTED: &str = "ghostmux-omitted";

/// Performs [`ImportSnapshot`], also from a body that is the content of a snapshot.
pub(super) async fn import(
    members: Members,
    State(registry): State<SessionManager>,
    By(caller): By,
    Query(query): Query,
    request: Request,
) -> Result<Answer, Problem> {
    if !is_content(request.headers()) {
        let size = request.body().size_hint().exact().and_then(|size| usize::try_from(size).ok());
        let room = match registry.room(&caller, size.map(|size| size.min(HELD_MOST))).await {
            Ok(room) => room,
            Err(why) => {
                drain(&mut request.into_body().into_data_stream()).await;
                return Err(why.into());
            }
        };
        let body = room.while_arriving(LargeBody::read(request)).await??;
        let (from, label) =
            runtime::aside(body.len(), || api_types::read::<ImportSnapshot>(&body).and_then(ImportSnapshot::divide))?;
        drop(body);
        return Ok(made(&registry.import_snapshot(&caller, (from, room), label).await?));
    }
    let label = label(api_types::read(&members.object(query)?.to_string())?)?;
    let pieces = request.into_body().into_data_stream().map_err(io::Error::other);
    let pieces = stream::unfold(Box::pin(pieces), async |mut pieces| {
        let late = |_| Some(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing arrived for 30 s")));
        let piece = tokio::time::timeout(PATIENCE, pieces.next()).await.unwrap_or_else(late);
        Some((piece?, pieces))
    });
    // Fused: the rest of a refused body is read below, also if its end was read already.
    let mut content: futures_util::stream::BoxStream<'static, io::Result<Bytes>> = pieces.fuse().boxed();
    let imported = match registry.room_for_lines(&caller).await {
        Ok(room) => registry.import_content(&caller, (&mut content, room), label).await,
        Err(why) => Err(why),
    };
    match imported {
        Ok(imported) => Ok(made(&imported)),
        Err(why) => {
            drain(&mut content).await;
            Err(why.into())
        }
    }
}

/// Reads on in a refused body, within limits.
pub(super) async fn drain<E>(body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin)) {
    let mut left = DRAINED;
    let rest = async {
        while let Some(Ok(piece)) = body.next().await
            && piece.len() < left
        {
            left -= piece.len();
        }
    };
    // A client that takes longer may not receive the reason.
    let _ = tokio::time::timeout(DRAINING, rest).await;
}

/// Performs [`ExportSnapshot`], in the format `ghostmux` as a stream. Other members of the query are ignored.
pub(super) async fn content(
    State(registry): State<SessionManager>,
    By(caller): By,
    Id(id): Id,
    Query(query): Query,
) -> Result<Answer, Problem> {
    let mut wanted = Map::from_iter([("snapshot".to_owned(), Value::from(id))]);
    wanted.extend(query.into_iter().filter(|(name, _)| name == "format").map(|(name, value)| (name, value.into())));
    let wanted: ExportSnapshot = api_types::read(&Value::Object(wanted).to_string())?;
    if wanted.format == SnapshotFormat::Ghostmux {
        let content = registry.content(&caller, &wanted.snapshot).await?;
        let length = content.meta().raw;
        let body = AxumBody::from_stream(ReaderStream::new(content.into_read()));
        let mut answer = answer_with("application/x-ndjson", body);
        // So that the client notices an answer that is cut off.
        answer.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        return Ok(answer);
    }
    let exported = registry.export_snapshot(&caller, &wanted).await?;
    let mut answer = runtime::aside(exported.len(), || compact(StatusCode::OK, &exported.storage_state));
    answer.headers_mut().insert(OMITTED, exported.report.omitted_count.into());
    Ok(answer)
}

fn made(saved: &Saved) -> Answer {
    created(Reply::of::<ImportSnapshot>(saved))
}

/// Whether the body is declared as a snapshot's content.
fn is_content(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(essence.as_str(), "application/x-ndjson" | "application/octet-stream")
}

/// The label of an import whose content is the body: the other members are in the query.
fn label(input: ImportSnapshot) -> Result<Label, Bad> {
    let ImportSnapshot { storage_state, data, name, metadata, ttl } = input;
    let other = [("storageState", storage_state.is_some()), ("data", data.is_some())];
    match other.into_iter().find(|(_, is_there)| *is_there) {
        Some((name, _)) => Err(Bad::new(name, "the content is the body; leave this out of the query")),
        None => Ok(Label { name, metadata, ttl }),
    }
}

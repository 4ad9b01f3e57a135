//! Snapshots as resources, and the operations that save, restore and clone sessions.

use std::{io, time::Duration};

use axum::{
    body::{Body as AxumBody, HttpBody as _},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Map, Value, json};
use tokio_util::io::ReaderStream;

use super::{
    super::{
        answers::{Any, OfBeginning, OfBody, OfContent, OfImport, OfSession, OfSnapshot},
        reply::{Answer, Problem, compact, created, nothing, stream as answer_with},
        request::{Body, By, Id, LargeBody, Query},
    },
    filters,
    sessions::{asked, id_in_body, odd},
};
use crate::{
    api_types::{self, Ask, Bad, Exporting, Label, Saved, SnapshotFormat, WantedSnapshots},
    runtime,
    session::manager::SessionManager,
    snapshot::repository::HELD_MOST,
};

/// How long the next piece of an import may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of a refused body that are still read: a client that is still sending would otherwise not receive the
/// reason.
const DRAINED: usize = 512 << 20;
const DRAINING: Duration = Duration::from_secs(10);
/// The header with the number of items that the format cannot hold.
const OMITTED: &str = "ghostmux-omitted";

/// Saves the state of a session. Its clients and pages do not notice.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/snapshots", tag = "snapshots", operation_id = "saveSnapshot",
    params(("id" = String, Path, description = "Which session.")),
    request_body(content = ref("#/components/schemas/Saving"), content_type = "application/json"),
    responses(
        (status = 201, description = "The snapshot, and what was carried.", body = ref("#/components/schemas/Saved"), headers(
            ("Location" = String, description = "Its path.")
        )),
        OfSession, OfBody, OfContent, Any
    )
)]
pub(super) async fn save(
    State(registry): State<SessionManager>,
    By(caller): By,
    Id(id): Id,
    body: Body,
) -> Result<Answer, Problem> {
    let Ask::Save(None, parts, label) = asked("saveSnapshot", &body.or_empty())? else { return Err(id_in_body()) };
    Ok(made(&registry.save_snapshot(&caller, &id, &parts, label).await?))
}

/// Writes a snapshot into a running session that has no client: first the storage, then its pages are opened.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/restore", tag = "snapshots", operation_id = "restoreSnapshot",
    params(("id" = String, Path, description = "Which session.")),
    request_body(content = ref("#/components/schemas/Restoring"), content_type = "application/json"),
    responses(
        (status = 200, description = "What was carried.", body = ref("#/components/schemas/SnapshotReport")),
        OfSession, OfBody, OfSnapshot, Any
    )
)]
pub(super) async fn restore(
    State(registry): State<SessionManager>,
    By(caller): By,
    Id(id): Id,
    body: Body,
) -> Result<Answer, Problem> {
    let Ask::Restore(None, restoring) = asked("restoreSnapshot", &body.required()?)? else {
        return Err(id_in_body());
    };
    Ok(compact(StatusCode::OK, &registry.restore_snapshot(&caller, None, &id, restoring).await?))
}

/// Creates new sessions in the state of this one, parked until a client connects. The source runs on. All are created,
/// or none.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/clone", tag = "snapshots", operation_id = "cloneSession",
    params(("id" = String, Path, description = "Which session.")),
    request_body(content = ref("#/components/schemas/Cloning"), content_type = "application/json"),
    responses(
        (status = 201, description = "The new sessions, and what was carried.", body = ref("#/components/schemas/Cloned")),
        OfSession, OfBody, OfBeginning, Any
    )
)]
pub(super) async fn clone(
    State(registry): State<SessionManager>,
    By(caller): By,
    Id(id): Id,
    body: Body,
) -> Result<Answer, Problem> {
    let Ask::Clone(None, copies) = asked("cloneSession", &body.or_empty())? else { return Err(id_in_body()) };
    Ok(compact(StatusCode::CREATED, &registry.clone_session(&caller, &id, copies).await?))
}

/// Lists the snapshots of this owner, newest first, one page at a time.
#[utoipa::path(
    get, path = "/v1/snapshots", tag = "snapshots", operation_id = "listSnapshots",
    params(WantedSnapshots),
    responses(
        (status = 200, description = "A page of snapshots.", body = ref("#/components/schemas/Snapshots")),
        (status = 400, description = "A filter is invalid; the detail names it.", body = ref("#/components/schemas/Problem"),
            content_type = "application/problem+json"),
        Any
    )
)]
pub(super) async fn list(
    State(registry): State<SessionManager>,
    By(caller): By,
    Query(query): Query,
) -> Result<Answer, Problem> {
    let Ask::ListSnapshots(wanted) = asked("listSnapshots", &filters(query)?.to_string())? else {
        return Err(odd());
    };
    Ok(compact(StatusCode::OK, &registry.list_snapshots(&caller, &wanted).await?))
}

/// Creates a snapshot from Playwright's `storageState` (JSON), or from content in ghostmux's own format, which is read
/// as a stream; `name`, `ttl` and `metadata.KEY` are then members of the query.
#[utoipa::path(
    post, path = "/v1/snapshots", tag = "snapshots", operation_id = "importSnapshot",
    request_body(content(
        (ref("#/components/schemas/Importing") = "application/json"),
        (Vec<u8> = "application/x-ndjson"),
    )),
    responses(
        (status = 201, description = "The snapshot, and what was carried.", body = ref("#/components/schemas/Saved"), headers(
            ("Location" = String, description = "Its path.")
        )),
        OfBody, OfImport, Any
    )
)]
pub(super) async fn import(
    State(registry): State<SessionManager>,
    By(caller): By,
    Query(query): Query,
    request: Request,
) -> Result<Answer, Problem> {
    if !is_content(request.headers()) {
        let size = request.body().size_hint().exact().and_then(|size| usize::try_from(size).ok());
        let room = match registry.room(size.map(|size| size.min(HELD_MOST))).await {
            Ok(room) => room,
            Err(why) => {
                drain(&mut request.into_body().into_data_stream()).await;
                return Err(why.into());
            }
        };
        let body = LargeBody::read(request).await?;
        let asked = runtime::aside(body.len(), || asked("importSnapshot", &body))?;
        let Ask::Import(from, label) = asked else { return Err(odd()) };
        drop(body);
        return Ok(made(&registry.import_snapshot(&caller, (from, room), label).await?));
    }
    let label: Label = api_types::read(&label(query)?.to_string())?;
    let pieces = request.into_body().into_data_stream().map_err(io::Error::other);
    let pieces = stream::unfold(Box::pin(pieces), async |mut pieces| {
        let late = |_| Some(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing arrived for 30 s")));
        let piece = tokio::time::timeout(PATIENCE, pieces.next()).await.unwrap_or_else(late);
        Some((piece?, pieces))
    });
    // Fused: the rest of a refused body is read below, also if its end was read already.
    let mut content: futures_util::stream::BoxStream<'static, io::Result<Bytes>> = pieces.fuse().boxed();
    let imported = match registry.room_for_lines().await {
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
async fn drain<E>(body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin)) {
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

/// Shows a snapshot's metadata.
#[utoipa::path(
    get, path = "/v1/snapshots/{id}", tag = "snapshots", operation_id = "getSnapshot",
    params(("id" = String, Path, description = "Which.")),
    responses(
        (status = 200, description = "The snapshot.", body = ref("#/components/schemas/Snapshot")),
        OfSnapshot, Any
    )
)]
pub(super) async fn get(State(registry): State<SessionManager>, By(caller): By, Id(id): Id) -> Result<Answer, Problem> {
    Ok(compact(StatusCode::OK, &registry.snapshot(&caller, &id).await?))
}

/// Deletes a snapshot. Sessions that were started from it are not affected.
#[utoipa::path(
    delete, path = "/v1/snapshots/{id}", tag = "snapshots", operation_id = "deleteSnapshot",
    params(("id" = String, Path, description = "Which.")),
    responses((status = 204, description = "The snapshot is deleted."), OfSnapshot, Any)
)]
pub(super) async fn delete(
    State(registry): State<SessionManager>,
    By(caller): By,
    Id(id): Id,
) -> Result<Answer, Problem> {
    registry.delete_snapshot(&caller, &id).await?;
    Ok(nothing())
}

/// The content of a snapshot. Whoever has it can log in as the session.
#[utoipa::path(
    get, path = "/v1/snapshots/{id}/content", tag = "snapshots", operation_id = "exportSnapshot",
    params(
        ("id" = String, Path, description = "Which."),
        Exporting,
    ),
    responses(
        (status = 200, description = "The content.", content(
            (ref("#/components/schemas/StorageState") = "application/json"),
            (Vec<u8> = "application/x-ndjson"),
        ), headers(("Ghostmux-Omitted" = i64, description = "Number of items that Playwright's format cannot hold."))),
        OfSnapshot, Any
    )
)]
pub(super) async fn content(
    State(registry): State<SessionManager>,
    By(caller): By,
    Id(id): Id,
    Query(query): Query,
) -> Result<Answer, Problem> {
    let mut wanted = Map::from_iter([("snapshot".to_owned(), Value::from(id))]);
    wanted.extend(query.into_iter().filter(|(name, _)| name == "format").map(|(name, value)| (name, value.into())));
    let wanted: Exporting = api_types::read(&Value::Object(wanted).to_string())?;
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
    created(&format!("/v1/snapshots/{}", saved.snapshot.id), saved)
}

/// Whether the body is declared as a snapshot's content.
fn is_content(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(essence.as_str(), "application/x-ndjson" | "application/octet-stream")
}

/// Name, lifetime and metadata of an import, from a query.
fn label(query: Vec<(String, String)>) -> Result<Value, Bad> {
    let mut label = filters(query)?;
    if let Some(ttl) = label.get("ttl").and_then(Value::as_str) {
        let ttl: f64 = ttl.parse().map_err(|_| Bad::new("ttl", format!("{ttl:?} is not a number of milliseconds")))?;
        label["ttl"] = json!(ttl);
    }
    Ok(label)
}

//! Files for pages: those of the session by name, which Chrome reads itself, and small ones with their content. No path comes
//! from the caller.

use serde_json::{Value, json};

use super::{
    commands::ResolveNode,
    driven::Page,
    events::change,
    frame::Frame,
    injected::Tools,
    isolated::NODES,
    pointer::{Act, How},
    present::Files,
    step::Step,
};
use crate::{
    api_types::{Bad, FileChooserInfo, FileForPage, file_name},
    browser::commands::{Nothing, commands},
    session::pages::PageError,
};

commands! {
    "DOM.setFileInputFiles" = SetFiles<'a> { files: &'a [String], object_id: &'a str } -> Nothing;
    "Runtime.callFunctionOn" = CallOn<'a> {
        function_declaration: &'a str,
        object_id: &'a str,
        return_by_value: bool,
    } -> Called;
}

#[derive(Debug, serde::Deserialize)]
pub(crate) struct Called {
    result: Returned,
}

#[derive(Debug, serde::Deserialize)]
struct Returned {
    value: Option<Step>,
}

/// Most files of a request.
const FILES_MOST: usize = 100;

impl Page {
    /// The files that a request names.
    pub(super) async fn files_for(&self, files: &[FileForPage]) -> Result<Files, PageError> {
        if files.len() > FILES_MOST {
            return Err(Bad::new("files", format!("are more than {FILES_MOST}")).into());
        }
        let inline = files.iter().filter(|file| file.content.is_some()).count();
        if inline == files.len() {
            return Ok(Files::Inline(files.iter().map(payload).collect::<Result<_, Bad>>()?));
        }
        if inline > 0 {
            return Err(Bad::new("files", "are either all of the session, or all with their content").into());
        }
        if files.iter().any(|file| file.mime_type.is_some()) {
            return Err(Bad::new("files", "of the session have no mimeType; Chrome takes it from the name").into());
        }
        let names: Vec<&str> = files.iter().map(|file| &*file.name).collect();
        let of_session = self.session().files().ok_or(PageError::Closed)?;
        Ok(Files::OfSession(of_session.paths_of(&names).await?))
    }

    /// Gives files to a file input, or to the file chooser that a click on the element opens.
    pub(super) async fn upload(&self, what: &'static str, selector: &str, files: Files) -> Result<(), PageError> {
        self.waits_for(format!("{selector} to be in the document"));
        let (frame, step) = self.step(what, Some(selector), "fileInput", json!({ "count": files.count() })).await?;
        if step.status != "other" {
            return self.give(&frame, &files).await;
        }
        self.states_to().send_modify(|state| change(&mut state.events).chooser = None);
        let click = Act::click();
        self.point(what, selector, &click, How::default()).await?;
        self.give_to_chooser(&files).await.map(drop)
    }

    /// Waits for the file chooser that the action expects, and gives it its files.
    pub(super) async fn fill_chooser(&self) -> Result<FileChooserInfo, PageError> {
        let files = self.files_of_chooser().unwrap_or(Files::Inline(Vec::new()));
        self.give_to_chooser(&files).await
    }

    async fn give_to_chooser(&self, files: &Files) -> Result<FileChooserInfo, PageError> {
        self.waits_for("a file chooser");
        self.wait_for(|state| state.events.chooser.is_some()).await?;
        let chooser = self.state().events.chooser.clone().ok_or(PageError::Closed)?;
        let frame = Frame::of_page(chooser.frame);
        let context = self.our_world(&frame, Tools::All).await?;
        let node =
            ResolveNode { backend_node_id: chooser.node, execution_context_id: Some(context), object_group: NODES };
        let object = self.driver().ask(&node).await?.object.object_id.unwrap_or_default();
        let function = format!("function () {{ return ghostmux.choose(this, {}) }}", files.count());
        let call = CallOn { function_declaration: &function, object_id: &object, return_by_value: true };
        let step = self.driver().ask(&call).await?.result.value.unwrap_or_default();
        self.judge("upload", "the file chooser", step)?;
        self.give(&frame, files).await?;
        let given = u32::try_from(files.count()).unwrap_or(u32::MAX);
        self.states_to().send_modify(|state| {
            if let Some(chooser) = &mut change(&mut state.events).chooser {
                chooser.files = given;
            }
        });
        Ok(FileChooserInfo { multiple: chooser.multiple, files: given })
    }

    /// Gives files to the file input that was chosen in this frame.
    async fn give(&self, frame: &Frame, files: &Files) -> Result<(), PageError> {
        let gone = || PageError::Impossible { what: "upload", why: "the document was replaced".to_owned() };
        self.acts();
        match files {
            Files::Inline(files) => {
                let step = self.call(frame, "setFiles", &json!({ "files": files })).await?.ok_or_else(gone)?;
                self.judge("upload", "the file input", step)?;
            }
            Files::OfSession(paths) => {
                let chosen = self.node_in(frame, "ghostmux.take()").await?.ok_or_else(gone)?;
                let set = SetFiles { files: paths, object_id: &chosen };
                self.ask_long(self.driver_of(frame), &set).await?;
            }
        }
        self.free_nodes(frame).await;
        self.settle().await
    }
}

/// What the injected script needs of a file with its content.
fn payload(file: &FileForPage) -> Result<Value, Bad> {
    let name = file_name(&file.name)?;
    let content = file.content.as_deref().unwrap_or_default();
    if data_encoding::BASE64.decode(content.as_bytes()).is_err() {
        return Err(Bad::new("content", format!("of {name:?} is not base64")));
    }
    let kind = file.mime_type.as_deref().unwrap_or("application/octet-stream");
    Ok(json!({ "name": name, "buffer": content, "mimeType": kind, "lastModifiedMs": null }))
}

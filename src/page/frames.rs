//! The frames of a page: how a selector leads into them, and where they are.

use std::sync::{Arc, PoisonError};

use serde_json::json;

use super::{
    commands::{DescribeNode, ReleaseObject},
    driven::Page,
    frame::Frame,
    injected::Tools,
    replaced::is_replaced,
    step::Step,
};
use crate::{
    browser::{CallError, PageDriver},
    cdp::ids::TargetId,
    session::pages::PageError,
};

impl Page {
    /// The main frame.
    pub(super) fn main(&self) -> Frame {
        Frame::of_page(self.state().main_frame)
    }

    pub(super) fn driver_of<'a>(&'a self, frame: &'a Frame) -> &'a PageDriver {
        frame.remote.as_deref().unwrap_or(self.driver())
    }

    /// A CDP session of its own on the process of a frame, for the time of one action.
    pub(super) async fn attach_beside(&self, frame: &Frame) -> Result<PageDriver, PageError> {
        let mut at = Some(frame);
        // The outermost frame of that process.
        let remote = frame.remote.as_ref();
        let mut target = self.id.clone();
        while let Some(frame) = at.filter(|_| remote.is_some()) {
            let is_same = frame.remote.as_ref().zip(remote).is_some_and(|(one, other)| Arc::ptr_eq(one, other));
            if !is_same {
                break;
            }
            target = TargetId::from(&*frame.id);
            at = frame.parent.as_deref();
        }
        Ok(self.root.attach(&target).await?)
    }

    /// The frame to which a selector leads, and the rest of the selector there.
    pub(super) async fn enter(
        &self,
        what: &'static str,
        selector: &str,
        main: Frame,
    ) -> Result<Option<(Frame, String)>, PageError> {
        let Some(step) = self.call(&main, "chunks", &json!({ "selector": selector })).await? else { return Ok(None) };
        let Some(Step { mut chunks, .. }) = self.judge(what, selector, step)? else { return Ok(None) };
        let last = chunks.pop().unwrap_or_default();
        let mut frame = main;
        for chunk in chunks {
            let Some(inner) = self.inside(what, &chunk, frame).await? else { return Ok(None) };
            frame = inner;
        }
        Ok(Some((frame, last)))
    }

    /// The frame whose element a selector names in a document; `None` for another attempt.
    pub(super) async fn inside(
        &self,
        what: &'static str,
        selector: &str,
        frame: Frame,
    ) -> Result<Option<Frame>, PageError> {
        let args = json!({ "step": "frame", "selector": selector });
        let Some(step) = self.call(&frame, "run", &args).await? else { return Ok(None) };
        if self.judge(what, selector, step)?.is_none() {
            return Ok(None);
        }
        let Some(object_id) = self.node_in(&frame, "ghostmux.frameElement()").await? else { return Ok(None) };
        let driver = self.driver_of(&frame);
        let described = driver.ask(&DescribeNode { object_id: &object_id }).await?;
        // Alone: an element that was looked up before may be in use.
        let _ = driver.ask(&ReleaseObject { object_id: &object_id }).await;
        let Some(id) = described.node.frame_id else {
            self.saw("the frame has no document yet");
            return Ok(None);
        };
        self.child(frame, id).await.map(Some)
    }

    /// The frame with this id below another one. One that has a process of its own gets a CDP session of its own.
    async fn child(&self, parent: Frame, id: String) -> Result<Frame, PageError> {
        let remote = parent.remote.clone();
        let frame = Frame { id: id.clone(), remote, parent: Some(Box::new(parent)) };
        match self.our_world(&frame, Tools::Plain).await {
            Err(PageError::Call(CallError::Refused { error, .. })) if error.message.contains("No frame") => {}
            Err(error) if is_replaced(&error) => return Ok(frame),
            world => return world.map(|_| frame),
        }
        let known = self.remote.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        let driver = if let Some(driver) = known {
            driver
        } else {
            let driver = Arc::new(self.root.attach(&TargetId::from(&*id)).await?);
            self.remote.lock().unwrap_or_else(PoisonError::into_inner).insert(id, driver.clone());
            driver
        };
        Ok(Frame { remote: Some(driver), ..frame })
    }

    /// A point of a frame in the viewport of the page; `None` if the frame has gone, or with `hits`, if something covers the
    /// frame there.
    pub(super) async fn in_viewport(
        &self,
        frame: &Frame,
        (x, y): (f64, f64),
        hits: bool,
    ) -> Result<Option<(f64, f64)>, PageError> {
        let (mut x, mut y, mut frame) = (x, y, frame);
        while let Some(parent) = &frame.parent {
            let args = json!({ "x": x, "y": y, "hits": hits });
            let Some(offset) = self.call(parent, "frameOffset", &args).await? else { return Ok(None) };
            if offset.status != "point" {
                self.saw(&offset.why);
                return Ok(None);
            }
            (x, y, frame) = (x + offset.x, y + offset.y, parent);
        }
        Ok(Some((x, y)))
    }
}

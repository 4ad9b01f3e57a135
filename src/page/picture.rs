//! Screenshots and PDFs, within the limits that clients have too.

use serde_json::json;

use super::{
    commands::{Capture, Clip, GetMetrics, Print},
    driven::Page,
};
use crate::{
    api_types::{Area, Bad, PictureFormat, capability::Granted, operations::PagePdf},
    cdp::{emulation, target::Kind},
    session::pages::PageError,
    virtual_browser::{
        arguments::{self, Checked},
        policy::Check,
    },
};

/// What a screenshot shows.
#[derive(Clone, Debug)]
pub(super) enum Scene {
    Viewport,
    FullPage,
    Clip(Area),
    Element(String),
}

impl Page {
    /// Takes a screenshot. Returns it in base64.
    pub(super) async fn take(
        &self,
        what: &'static str,
        scene: Scene,
        format: PictureFormat,
        quality: Option<u32>,
    ) -> Result<String, PageError> {
        let mut area = None;
        if let Scene::Element(selector) = &scene {
            self.waits_for(format!("{selector} to be visible and stable"));
            let (frame, step) = self.step(what, Some(selector), "area", json!({})).await?;
            if let Some((x, y)) = self.in_viewport(&frame, (step.x, step.y), false).await? {
                area = Some(Area { x, y, width: step.width, height: step.height });
            }
        }
        self.waits_for("the screenshot");
        let metrics = self.driver().ask(&GetMetrics {}).await?;
        let scale = self.call(&self.main(), "screen", &json!({})).await?.map_or(1.0, |screen| screen.scale);
        let (layout, content) = (metrics.css_layout_viewport, metrics.css_content_size);
        let (area, beyond) = match scene {
            Scene::Viewport => (None, false),
            Scene::FullPage => (Some(Area { x: 0.0, y: 0.0, width: content.width, height: content.height }), true),
            Scene::Clip(Area { width, height, .. }) if !(width >= 1.0 && height >= 1.0) => {
                return Err(Bad::new("clip", "has an area without extent; its width and height are at least 1").into());
            }
            Scene::Clip(area) => (Some(area), true),
            Scene::Element(_) => {
                let area =
                    area.ok_or_else(|| PageError::Impossible { what, why: "its frame was removed".to_owned() })?;
                (Some(Area { x: area.x + layout.page_x, y: area.y + layout.page_y, ..area }), true)
            }
        };
        let (width, height) =
            area.map_or((layout.client_width, layout.client_height), |area| (area.width, area.height));
        emulation::picture(width, height, scale).map_err(|why| Bad::new("screenshot", why))?;
        // It counts until the picture is taken.
        let _permit = self.place().permit(emulation::pixels(width, height, scale)).await;
        let format = match format {
            PictureFormat::Png => "png",
            PictureFormat::Jpeg => "jpeg",
            PictureFormat::Webp => "webp",
        };
        let clip = area.map(|Area { x, y, width, height }| Clip { x, y, width, height, scale: 1.0 });
        let capture = Capture { format, quality, clip, capture_beyond_viewport: beyond };
        Ok(self.ask_long(self.driver(), &capture).await?.data)
    }

    /// Takes a screenshot in which the elements of these selectors are covered.
    pub(super) async fn take_masked(
        &self,
        what: &'static str,
        (mask, colour): (&[String], &str),
        scene: Scene,
        format: PictureFormat,
        quality: Option<u32>,
    ) -> Result<String, PageError> {
        for selector in mask {
            self.waits_for(format!("the frame of {selector}"));
            let (frame, _) = self.step(what, Some(selector), "mask", json!({ "colour": colour })).await?;
            self.masks().push(frame);
        }
        let taken = self.take(what, scene, format, quality).await;
        self.unmask().await;
        taken
    }

    /// Uncovers what was covered.
    pub(super) async fn unmask(&self) {
        let frames = std::mem::take(&mut *self.masks());
        for frame in frames {
            // A frame that has gone is not covered.
            let _ = self.call(&frame, "unmask", &json!({})).await;
        }
    }

    /// Prints the page. Returns the PDF in base64.
    pub(super) async fn print(&self, request: PagePdf, granted: Granted) -> Result<String, PageError> {
        let PagePdf {
            landscape,
            print_background,
            prefer_css_page_size,
            scale,
            paper_width,
            paper_height,
            page_ranges,
            ..
        } = request;
        let print =
            Print { landscape, print_background, prefer_css_page_size, scale, paper_width, paper_height, page_ranges };
        let params = json!(print).to_string();
        if let Checked::Refused { message, .. } =
            arguments::check(Check::Pdf, "Page.printToPDF", &params, Kind::Page, granted)
        {
            return Err(Bad::new("params", message).into());
        }
        self.waits_for("the PDF");
        // A page whose process has gone ends the browser with this command.
        self.call(&self.main(), "screen", &json!({})).await?;
        Ok(self.ask_long(self.driver(), &print).await?.data)
    }
}

//! Screenshots and PDFs, within the limits that clients have too.

use serde_json::json;

use super::{
    commands::{Capture, Clip, GetMetrics, MoreOfPdf, Print, Rgba, SetBackground},
    driven::Page,
    means::Means,
};
use crate::{
    api_types::{Area, Bad, PaperMargin, PictureFormat, capability::Granted, operations::PagePdf},
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

/// How a screenshot is encoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct PictureForm {
    pub(super) format: PictureFormat,
    pub(super) quality: Option<u32>,
    pub(super) omit_background: bool,
    pub(super) optimize_for_speed: bool,
    /// Most pixels of the longer side.
    pub(super) max_side: Option<u32>,
}

impl Page {
    /// Takes a screenshot. Returns it in base64.
    pub(super) async fn take(
        &self,
        means: &Means,
        what: &'static str,
        scene: Scene,
        PictureForm { format, quality, omit_background, optimize_for_speed, max_side }: PictureForm,
    ) -> Result<String, PageError> {
        if omit_background && format == PictureFormat::Jpeg {
            return Err(Bad::new("omitBackground", "is for PNG and WebP; JPEG has no transparency").into());
        }
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
        let format = match format {
            PictureFormat::Png => "png",
            PictureFormat::Jpeg => "jpeg",
            PictureFormat::Webp => "webp",
        };
        let pixels = width.max(height) * scale;
        let shrink = max_side.map(f64::from).filter(|most| pixels > *most).map(|most| most / pixels);
        // Chrome scales only what is cut out.
        let viewport = Area { x: layout.page_x, y: layout.page_y, width, height };
        let area = area.or(shrink.map(|_| viewport));
        let clip = area.map(|Area { x, y, width, height }| Clip { x, y, width, height, scale: shrink.unwrap_or(1.0) });
        let capture = Capture { format, quality, clip, capture_beyond_viewport: beyond, optimize_for_speed };
        // As a client's: it waits for its turn among all screenshots, and is drawn as the page is emulated.
        let take = async || means.ask_long(&capture, self.limits().result).await;
        Ok(self.over_background(omit_background, take).await?.data)
    }

    /// Takes a screenshot in which the elements of these selectors are covered.
    pub(super) async fn take_masked(
        &self,
        means: &Means,
        what: &'static str,
        (mask, colour): (&[String], &str),
        scene: Scene,
        form: PictureForm,
    ) -> Result<String, PageError> {
        for selector in mask {
            self.waits_for(format!("the frame of {selector}"));
            let (frame, _) = self.step(what, Some(selector), "mask", json!({ "colour": colour })).await?;
            self.masks().push(frame);
        }
        let taken = self.take(means, what, scene, form).await;
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
            margin,
            header,
            footer,
            omit_background,
            tagged,
            outline,
            ..
        } = request;
        let side = |side: fn(&PaperMargin) -> f64| margin.as_ref().map(side);
        // Chrome writes its own text where it gets none.
        let template = |template: Option<String>| template.or_else(|| Some("<span></span>".to_owned()));
        let display_header_footer = header.is_some() || footer.is_some();
        let more = MoreOfPdf {
            display_header_footer,
            header_template: template(header).filter(|_| display_header_footer),
            footer_template: template(footer).filter(|_| display_header_footer),
            margin_top: side(|margin| margin.top),
            margin_right: side(|margin| margin.right),
            margin_bottom: side(|margin| margin.bottom),
            margin_left: side(|margin| margin.left),
            generate_tagged_pdf: tagged,
            generate_document_outline: outline,
        };
        let print = Print {
            landscape,
            print_background,
            prefer_css_page_size,
            scale,
            paper_width,
            paper_height,
            page_ranges,
            more,
        };
        let params = json!(print).to_string();
        if let Checked::Refused { message, .. } =
            arguments::check(Check::Pdf, "Page.printToPDF", &params, Kind::Page, granted)
        {
            return Err(Bad::new("params", message).into());
        }
        self.waits_for("the PDF");
        // A page whose process has gone ends the browser with this command.
        self.call(&self.main(), "screen", &json!({})).await?;
        let take = async || self.ask_long(self.driver(), &print).await;
        Ok(self.over_background(omit_background, take).await?.data)
    }

    /// Takes a picture, over no background where the page has none, if that is wanted.
    async fn over_background<T>(
        &self,
        is_transparent: bool,
        take: impl AsyncFnOnce() -> Result<T, PageError>,
    ) -> Result<T, PageError> {
        if !is_transparent {
            return take().await;
        }
        let color = Some(Rgba { r: 0, g: 0, b: 0, a: 0 });
        self.driver().ask(&SetBackground { color }).await?;
        let taken = take().await;
        // If the caller has hung up, the page stays so until it is not driven any more.
        self.driver().ask(&SetBackground { color: None }).await?;
        taken
    }
}

//! What quick actions make of the page, with the names of Puppeteer's options.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::super::{Millis, PictureFormat, given, whole};

/// What a screenshot shows, and how it is encoded.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ScreenshotOptions {
    /// `png`, `jpeg` or `webp`; `png` if absent.
    #[serde(rename = "type")]
    pub kind: PictureFormat,
    /// The quality of JPEG and WebP, 0 to 100.
    #[serde(deserialize_with = "whole")]
    #[schemars(range(max = 100))]
    pub quality: Option<u32>,
    /// Whether it shows the whole page.
    pub full_page: bool,
    /// The area of the document that it shows.
    #[serde(deserialize_with = "given")]
    pub clip: Option<QuickClip>,
    /// Whether the background is transparent where the page has none.
    pub omit_background: bool,
    /// Whether the answer is a text in base64.
    pub encoding: ScreenshotEncoding,
    /// Whether it is encoded faster, and larger.
    pub optimize_for_speed: bool,
    /// Accepted without effect.
    pub capture_beyond_viewport: Option<bool>,
    /// Accepted without effect.
    pub from_surface: Option<bool>,
    /// Refused: a file of the server.
    #[serde(deserialize_with = "given")]
    pub path: Option<String>,
}

/// How the answer has the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScreenshotEncoding {
    /// As it is.
    #[default]
    Binary,
    /// In base64.
    Base64,
}

/// An area of the document, in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "they are the sides of the area")]
pub struct QuickClip {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    /// 1 if absent, and nothing else: set `deviceScaleFactor` of the viewport.
    #[serde(default, deserialize_with = "given")]
    pub scale: Option<f64>,
}

/// How a page is printed.
#[expect(clippy::struct_excessive_bools, reason = "they are members of a body")]
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct PdfOptions {
    /// The scale, 0.1 to 2; 1 if absent.
    #[serde(deserialize_with = "given")]
    pub scale: Option<f64>,
    /// Whether `headerTemplate` and `footerTemplate` are printed.
    pub display_header_footer: bool,
    /// The HTML above each page.
    #[serde(deserialize_with = "given")]
    pub header_template: Option<String>,
    /// The HTML below each page.
    #[serde(deserialize_with = "given")]
    pub footer_template: Option<String>,
    /// Whether backgrounds are printed.
    pub print_background: bool,
    /// Whether it is in landscape format.
    pub landscape: bool,
    /// The pages, such as `1-5, 8`; all if absent.
    #[serde(deserialize_with = "given")]
    pub page_ranges: Option<String>,
    /// The paper; `Letter` if absent.
    #[serde(deserialize_with = "given")]
    pub format: Option<PaperFormat>,
    /// The width of the paper.
    #[serde(deserialize_with = "given")]
    pub width: Option<Length>,
    /// The height of the paper.
    #[serde(deserialize_with = "given")]
    pub height: Option<Length>,
    /// Whether the page's own size of the paper (`@page`) counts.
    #[serde(rename = "preferCSSPageSize")]
    pub prefer_css_page_size: bool,
    /// The margins; none if absent.
    #[serde(deserialize_with = "given")]
    pub margin: Option<PdfMargin>,
    /// Whether the background is transparent where the page has none.
    pub omit_background: bool,
    /// Whether the PDF says what is a heading, a paragraph and so on; `true` if absent.
    #[serde(deserialize_with = "given")]
    pub tagged: Option<bool>,
    /// Whether the PDF has an outline, made from the headings.
    pub outline: bool,
    /// How long printing may take; 30000 if absent.
    #[serde(deserialize_with = "given")]
    pub timeout: Option<Millis>,
    /// Whether the fonts of the page are waited for; `true` if absent.
    #[serde(deserialize_with = "given")]
    pub wait_for_fonts: Option<bool>,
    /// Whether the paper is as high as the page. Not together with `height` and `format`.
    pub full_page: bool,
    /// Refused: a file of the server.
    #[serde(deserialize_with = "given")]
    pub path: Option<String>,
}

/// The margins of paper; sides that are absent have none.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "they are the sides of the paper")]
pub struct PdfMargin {
    pub top: Option<Length>,
    pub right: Option<Length>,
    pub bottom: Option<Length>,
    pub left: Option<Length>,
}

/// A length: a number of CSS pixels, or a text with the unit `px`, `in`, `cm` or `mm`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Length {
    /// CSS pixels.
    Pixels(f64),
    /// With its unit.
    Text(String),
}

/// A format of paper, in any letter case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaperFormat {
    /// In inches.
    pub width: f64,
    /// In inches.
    pub height: f64,
}

impl PaperFormat {
    /// Their names, widths and heights in inches, as Puppeteer has them.
    const ALL: [(&'static str, f64, f64); 11] = [
        ("letter", 8.5, 11.0),
        ("legal", 8.5, 14.0),
        ("tabloid", 11.0, 17.0),
        ("ledger", 17.0, 11.0),
        ("a0", 33.1102, 46.811),
        ("a1", 23.3858, 33.1102),
        ("a2", 16.5354, 23.3858),
        ("a3", 11.6929, 16.5354),
        ("a4", 8.2677, 11.6929),
        ("a5", 5.8268, 8.2677),
        ("a6", 4.1339, 5.8268),
    ];
}

impl<'de> Deserialize<'de> for PaperFormat {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = String::deserialize(from)?;
        let known = Self::ALL.iter().find(|(name, ..)| name.eq_ignore_ascii_case(&given));
        let known = known.map(|(_, width, height)| Self { width: *width, height: *height });
        known.ok_or_else(|| {
            D::Error::custom(format!("{given:?} is no format: Letter, Legal, Tabloid, Ledger, A0 to A6 are"))
        })
    }
}

impl JsonSchema for PaperFormat {
    fn schema_name() -> Cow<'static, str> {
        "PaperFormat".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A format of paper, in any letter case: Letter, Legal, Tabloid, Ledger, A0 to A6.",
            "type": "string",
            "pattern": "^([Ll][Ee][Tt][Tt][Ee][Rr]|[Ll][Ee][Gg][Aa][Ll]|[Tt][Aa][Bb][Ll][Oo][Ii][Dd]|[Ll][Ee][Dd][Gg][Ee][Rr]|[Aa][0-6])$",
        })
    }
}

/// Elements that are read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScrapedElement {
    /// Which, in CSS.
    pub selector: String,
    /// How long the first of them is waited for; 30000 if absent.
    #[serde(default, deserialize_with = "given")]
    pub timeout: Option<Millis>,
}

/// What the answer of `/scrape` has beside the elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "they are the members of browserless")]
pub struct DebugOptions {
    /// The messages of the console. Not there yet: refused.
    pub console: bool,
    /// The cookies of the page.
    pub cookies: bool,
    /// The HTML of the page.
    pub html: bool,
    /// Requests and responses. Not there yet: refused.
    pub network: bool,
    /// A screenshot of the whole page, in base64.
    pub screenshot: bool,
}

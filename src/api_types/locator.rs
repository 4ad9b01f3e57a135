//! Locators: how a request names an element. They are written as selectors of Playwright, which its injected script
//! evaluates. PURE.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{Bad, given};

/// Most locators inside of each other.
const DEPTH_MOST: usize = 8;
/// What leads from a frame element into its document, in a selector of Playwright.
pub const ENTER_FRAME: &str = "internal:control=enter-frame";
/// The engine of references, in a selector of Playwright.
pub const REF_ENGINE: &str = "aria-ref=";

/// Names elements of a page as the locators of Playwright do, through open shadow roots. One of `css`, `xpath`, `text`,
/// `role`, `label`, `placeholder`, `alt`, `title` and `testId` is needed; the other members narrow it down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Locator {
    /// A CSS selector, with the pseudo-classes of Playwright.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub css: Option<String>,
    /// An XPath expression. It does not look into shadow roots.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub xpath: Option<String>,
    /// A part of the text of the element, in any case; the whole text in this case with `exact`.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// An ARIA role, such as `button`; explicit or that of the element.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// With `role`: a part of the accessible name; the whole name with `exact`.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The text of the label of a form field.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The placeholder of a form field.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub placeholder: Option<String>,
    /// The alternative text of an image.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
    /// The attribute `title`.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The attribute `data-testid`, always the whole one.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub test_id: Option<String>,
    /// Whether texts are compared as a whole and with their case.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub exact: bool,
    /// Only elements that contain this text somewhere.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub has_text: Option<String>,
    /// Only elements that do not contain this text.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub has_not_text: Option<String>,
    /// Only elements that contain such an element.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub has: Option<Box<Locator>>,
    /// Only elements that do not contain such an element.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub has_not: Option<Box<Locator>>,
    /// Only visible elements, or only invisible ones.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub visible: Option<bool>,
    /// The number of the element among those that match, from 0; -1 is the last one.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1, max = 1_000_000))]
    pub nth: Option<i32>,
    /// Where to look: in these elements.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub within: Option<Box<Locator>>,
    /// Where to look: in the document of this frame element. Not together with `within`, which can have a frame itself.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub frame: Option<Box<Locator>>,
}

impl Locator {
    /// The selector of Playwright that means the same.
    pub fn selector(&self) -> Result<String, Bad> {
        self.at_depth(0)
    }

    fn at_depth(&self, depth: usize) -> Result<String, Bad> {
        let bad = |why: String| Err(Bad::new("locator", why));
        if depth == DEPTH_MOST {
            return bad(format!("has more than {DEPTH_MOST} locators inside of each other"));
        }
        let inner = |locator: &Locator| locator.at_depth(depth + 1);
        let mut parts = Vec::new();
        match (&self.within, &self.frame) {
            (Some(_), Some(_)) => return bad("has both within and frame; put frame into within".to_owned()),
            (Some(within), None) => parts.push(inner(within)?),
            (None, Some(frame)) => parts.extend([inner(frame)?, ENTER_FRAME.to_owned()]),
            (None, None) => {}
        }
        parts.push(self.kind()?);
        if let Some(text) = &self.has_text {
            parts.push(format!("internal:has-text={}", of_text(text, false)));
        }
        if let Some(text) = &self.has_not_text {
            parts.push(format!("internal:has-not-text={}", of_text(text, false)));
        }
        if let Some(has) = &self.has {
            parts.push(format!("internal:has={}", json(&inner(has)?)));
        }
        if let Some(has_not) = &self.has_not {
            parts.push(format!("internal:has-not={}", json(&inner(has_not)?)));
        }
        if let Some(visible) = self.visible {
            parts.push(format!("visible={visible}"));
        }
        if let Some(nth) = self.nth {
            parts.push(format!("nth={nth}"));
        }
        Ok(parts.join(" >> "))
    }

    /// The one member that says what the element is.
    fn kind(&self) -> Result<String, Bad> {
        let exact = self.exact;
        let attribute = |name: &str, text: &String| format!("internal:attr=[{name}={}]", of_attribute(text, exact));
        let kinds = [
            self.css.as_ref().map(|css| format!("css={css}")),
            self.xpath.as_ref().map(|xpath| format!("xpath={xpath}")),
            self.text.as_ref().map(|text| format!("internal:text={}", of_text(text, exact))),
            self.role.as_ref().map(|role| match &self.name {
                Some(name) => format!("internal:role={role}[name={}]", of_attribute(name, exact)),
                None => format!("internal:role={role}"),
            }),
            self.label.as_ref().map(|text| format!("internal:label={}", of_text(text, exact))),
            self.placeholder.as_ref().map(|text| attribute("placeholder", text)),
            self.alt.as_ref().map(|text| attribute("alt", text)),
            self.title.as_ref().map(|text| attribute("title", text)),
            self.test_id.as_ref().map(|id| format!("internal:testid=[data-testid={}]", of_attribute(id, true))),
        ];
        let mut kinds = kinds.into_iter().flatten();
        let (Some(kind), None) = (kinds.next(), kinds.next()) else {
            let why = "needs one of css, xpath, text, role, label, placeholder, alt, title and testId; use within or has for more";
            return Err(Bad::new("locator", why));
        };
        if self.name.is_some() && self.role.is_none() {
            return Err(Bad::new("locator", "has a name without a role; the name is that of a role"));
        }
        if self.role.as_ref().is_some_and(|role| role.is_empty() || !role.bytes().all(|byte| byte.is_ascii_lowercase()))
        {
            return Err(Bad::new("locator", "has a role that is no ARIA role: one word in lower case is"));
        }
        Ok(kind)
    }
}

/// The selector of the element that a request names in one of three ways; `None` if it names none.
pub fn element(selector: Option<&str>, locator: Option<&Locator>, of_ref: Option<&str>) -> Result<Option<String>, Bad> {
    match (selector, locator, of_ref) {
        (None, None, None) => Ok(None),
        (Some(""), None, None) => Err(Bad::new("selector", "is empty")),
        (Some(selector), None, None) => Ok(Some(selector.to_owned())),
        (None, Some(locator), None) => locator.selector().map(Some),
        (None, None, Some(of_ref)) => {
            if ref_of(of_ref).is_none() {
                return Err(Bad::new(
                    "ref",
                    format!("{of_ref:?} is none; refs such as e12 and f1e12 are in the answer of snapshot"),
                ));
            }
            Ok(Some(format!("{REF_ENGINE}{of_ref}")))
        }
        _ => Err(Bad::new("locator", "the element is named twice; give one of locator, selector and ref")),
    }
}

/// The number of the frame of a reference such as `f1e12`; 0 is the main frame. `None` if it is no reference.
pub fn ref_of(text: &str) -> Option<u32> {
    let (frame, element) = text.split_once('e')?;
    let is_number = |text: &str| (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let frame = if frame.is_empty() { "0" } else { frame.strip_prefix('f').filter(|frame| is_number(frame))? };
    frame.parse().ok().filter(|_| is_number(element))
}

/// Reads a whole number that is present, which may be negative. In JSON `5.0` is one too.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    let given = f64::deserialize(deserializer)?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and between -1 and 1,000,000")]
    let number = ((-1.0..=1_000_000.0).contains(&given) && given.fract() == 0.0).then_some(given as i32);
    number
        .map(Some)
        .ok_or_else(|| D::Error::custom(format!("{given} is no whole number from -1, which is the last one")))
}

fn json(text: &str) -> String {
    // A text can always be written.
    serde_json::to_string(text).unwrap_or_default()
}

/// As `escapeForTextSelector` of Playwright.
fn of_text(text: &str, exact: bool) -> String {
    format!("{}{}", json(text), if exact { 's' } else { 'i' })
}

/// As `escapeForAttributeSelector` of Playwright.
fn of_attribute(text: &str, exact: bool) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"{}", if exact { 's' } else { 'i' })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(json: &str) -> Result<String, String> {
        let locator: Locator = serde_json::from_str(json).expect("a locator");
        locator.selector().map_err(|bad| bad.to_string())
    }

    /// `tests/clients/locators.mjs` compares the elements that they find; these are the texts that Playwright makes.
    #[test]
    fn locators_are_the_selectors_that_playwright_makes() {
        for (json, wanted) in [
            (r#"{"css":"a"}"#, "css=a"),
            (r#"{"text":"a \"b\""}"#, r#"internal:text="a \"b\""i"#),
            (r#"{"text":"a","exact":true,"nth":-1}"#, r#"internal:text="a"s >> nth=-1"#),
            (r#"{"role":"button","name":"a\\\"b"}"#, r#"internal:role=button[name="a\\\"b"i]"#),
            (r#"{"role":"button"}"#, "internal:role=button"),
            (r#"{"label":"a"}"#, r#"internal:label="a"i"#),
            (r#"{"placeholder":"a","exact":true}"#, r#"internal:attr=[placeholder="a"s]"#),
            (r#"{"testId":"a"}"#, r#"internal:testid=[data-testid="a"s]"#),
            (r#"{"xpath":"//a","visible":true}"#, "xpath=//a >> visible=true"),
            (
                r#"{"css":"li","hasText":"x","has":{"role":"link"},"within":{"css":"ul"}}"#,
                r#"css=ul >> css=li >> internal:has-text="x"i >> internal:has="internal:role=link""#,
            ),
            (r#"{"css":"b","frame":{"css":"iframe"}}"#, "css=iframe >> internal:control=enter-frame >> css=b"),
        ] {
            assert_eq!(selector(json).as_deref(), Ok(wanted), "{json}");
        }
    }

    #[test]
    fn locators_that_mean_nothing_are_refused() {
        for (json, word) in [
            ("{}", "needs one of css"),
            (r#"{"css":"a","text":"b"}"#, "needs one of css"),
            (r#"{"css":"a","name":"b"}"#, "a name without a role"),
            (r#"{"role":"button >> css=a"}"#, "no ARIA role"),
            (r#"{"css":"a","within":{"css":"b"},"frame":{"css":"c"}}"#, "both within and frame"),
        ] {
            let why = selector(json).expect_err(json);
            assert!(why.contains(word), "{json}: {why}");
        }
        for wrong in ["-2", "0.5", "1e9", "null", "\"1\""] {
            let read = serde_json::from_str::<Locator>(&format!(r#"{{"css":"a","nth":{wrong}}}"#));
            assert!(read.is_err(), "{wrong}");
        }
        // Each level doubles the backslashes of the one before.
        let deep = (0..8).fold(r#"{"css":"a"}"#.to_owned(), |inner, _| format!(r#"{{"css":"a","has":{inner}}}"#));
        assert!(selector(&deep).expect_err("too deep").contains("more than 8"));
    }

    #[test]
    fn elements_are_named_in_one_way() {
        let locator = Locator { css: Some("a".to_owned()), ..Locator::default() };
        assert_eq!(element(None, None, None), Ok(None));
        assert_eq!(element(None, None, Some("e12")), Ok(Some("aria-ref=e12".to_owned())));
        assert_eq!(element(None, None, Some("f1e12")), Ok(Some("aria-ref=f1e12".to_owned())));
        assert_eq!((ref_of("e12"), ref_of("f21e1")), (Some(0), Some(21)));
        for wrong in ["", "e", "f1", "fe1", "1e1", "e1e1", "f1e", "f99999999999e1", "e1 >> a"] {
            assert_eq!(ref_of(wrong), None, "{wrong}");
        }
        assert_eq!(element(Some("a >> b"), None, None), Ok(Some("a >> b".to_owned())));
        for (selector, locator, of_ref) in
            [(Some("a"), Some(&locator), None), (Some(""), None, None), (None, None, Some("e1 >> css=a"))]
        {
            assert!(element(selector, locator, of_ref).is_err());
        }
    }
}

//! What the context of a page stores: cookies, and the storage of origins.

use serde::Deserialize;
use serde_json::json;

use super::{
    commands::{EvaluateIn, FrameInfo},
    driven::Page,
    frame::Frame,
    means::Means,
    replaced::is_replaced,
};
use crate::{
    api_types::{
        Attributes, Bad, Cookie, CookieFilter, SameSite,
        operations::{PageCookies, PageStorage},
    },
    browser::commands::commands,
    session::pages::PageError,
};

/// Most frames in which an origin is looked for.
const FRAMES_MOST: usize = 64;

commands! {
    "Page.getFrameTree" = GetFrames {} -> Frames;
}

/// The result of `Page.getFrameTree`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Frames {
    frame_tree: Tree,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tree {
    frame: FrameInfo,
    #[serde(default)]
    child_frames: Vec<Tree>,
}

impl Tree {
    /// The ids of its frames, from outside to inside.
    fn ids(self) -> Vec<String> {
        let (mut ids, mut open) = (Vec::new(), std::collections::VecDeque::from([self]));
        while let Some(Tree { frame, child_frames }) = open.pop_front() {
            ids.push(frame.id);
            open.extend(child_frames);
        }
        ids
    }
}

/// A cookie as Chrome lists it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    name: String,
    value: String,
    domain: String,
    path: String,
    /// -1 without an end.
    expires: f64,
    http_only: bool,
    secure: bool,
    same_site: Option<SameSite>,
}

#[derive(Deserialize)]
struct AllListed {
    cookies: Vec<Listed>,
}

impl From<Listed> for Cookie {
    fn from(listed: Listed) -> Self {
        let Listed { name, value, domain, path, expires, http_only, secure, same_site } = listed;
        Self {
            name,
            value,
            url: None,
            domain: Some(domain),
            path: Some(path),
            expires: Some(expires).filter(|expires| *expires >= 0.0),
            http_only: Some(http_only),
            secure: Some(secure),
            same_site,
        }
    }
}

/// Whether a filter applies to a cookie.
fn applies(filter: &CookieFilter, cookie: &Listed) -> bool {
    let is = |wanted: &Option<String>, value: &String| wanted.as_ref().is_none_or(|wanted| wanted == value);
    is(&filter.name, &cookie.name) && is(&filter.domain, &cookie.domain) && is(&filter.path, &cookie.path)
}

impl Means {
    /// Clears, removes and sets cookies of the page's context, and lists them. The commands are those of a page: Chrome
    /// performs them in its context.
    pub(super) async fn cookies(&self, request: &PageCookies) -> Result<Vec<Cookie>, PageError> {
        let PageCookies { clear, remove, set, urls, .. } = request;
        if let Some(cookie) = set.iter().find(|cookie| cookie.url.is_none() && cookie.domain.is_none()) {
            return Err(Bad::new("set", format!("the cookie {:?} has neither url nor domain", cookie.name)).into());
        }
        if remove.iter().any(|filter| *filter == CookieFilter::default()) {
            return Err(Bad::new("remove", "an entry has none of name, domain and path; clear removes all").into());
        }
        if *clear {
            self.tell("Network.clearBrowserCookies", json!({})).await?;
        }
        if !remove.is_empty() {
            let all: AllListed = self.ask("Network.getAllCookies", json!({})).await?;
            for cookie in all.cookies.iter().filter(|cookie| remove.iter().any(|filter| applies(filter, cookie))) {
                let Listed { name, domain, path, .. } = cookie;
                let which = json!({ "name": name, "domain": domain, "path": path });
                self.tell("Network.deleteCookies", which).await?;
            }
        }
        if !set.is_empty() {
            self.tell("Network.setCookies", json!({ "cookies": set })).await?;
        }
        let all: AllListed = if urls.is_empty() {
            self.ask("Network.getAllCookies", json!({})).await?
        } else {
            self.ask("Network.getCookies", json!({ "urls": urls })).await?
        };
        Ok(all.cookies.into_iter().map(Cookie::from).collect())
    }
}

/// What the script in the page says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    origin: String,
    /// Absent if the document has another origin than the wanted one.
    items: Option<Attributes>,
    /// Why the storage cannot be used.
    error: Option<String>,
}

/// Runs in the isolated world of a frame, where the page's scripts have no influence.
const SCRIPT: &str = "(({ area, clear, remove, set, keys, origin }) => {
  const said = { origin: location.origin };
  if (origin !== null && origin !== said.origin)
    return said;
  try {
    const storage = area === 'session' ? sessionStorage : localStorage;
    if (clear)
      storage.clear();
    for (const key of remove)
      storage.removeItem(key);
    for (const [key, value] of Object.entries(set))
      storage.setItem(key, value);
    const items = [];
    for (const key of keys ?? Object.keys(storage)) {
      const value = storage.getItem(key);
      if (value !== null)
        items.push([key.toWellFormed(), value.toWellFormed()]);
    }
    return { ...said, items: Object.fromEntries(items) };
  } catch (error) {
    return { ...said, error: String(error?.message ?? error) };
  }
})";

impl Page {
    /// Changes and reads the storage of an origin that the page or one of its frames has.
    pub(super) async fn storage(
        &self,
        what: &'static str,
        request: &PageStorage,
    ) -> Result<(String, Attributes), PageError> {
        let PageStorage { origin, area, clear, remove, set, keys, .. } = request;
        let wanted = origin.as_deref().map(|origin| origin.trim_end_matches('/'));
        let args = json!({
            "area": area, "clear": clear, "remove": remove, "set": set, "keys": keys, "origin": wanted,
        });
        let expression = format!("{SCRIPT}({args})");
        self.waits_for("the storage");
        let frames = if wanted.is_none() {
            vec![self.main()]
        } else {
            let tree = self.driver().ask(&GetFrames {}).await?.frame_tree;
            tree.ids().into_iter().take(FRAMES_MOST).map(Frame::of_page).collect()
        };
        let mut origins = Vec::new();
        for frame in &frames {
            let Said { origin, items, error } = self.in_frame(frame, &expression).await?;
            let impossible = |why| PageError::Impossible { what, why };
            match (items, error) {
                (Some(items), _) => return Ok((origin, items)),
                (None, Some(error)) => {
                    return Err(impossible(format!("the origin {origin} has no storage that could be used ({error})")));
                }
                (None, None) => origins.push(origin),
            }
        }
        origins.dedup();
        let why = format!("no document of the page has this origin, but {}; go there first", origins.join(", "));
        Err(PageError::Impossible { what, why })
    }

    async fn in_frame(&self, frame: &Frame, expression: &str) -> Result<Said, PageError> {
        let mut attempt = 0;
        let answer = loop {
            let context = self.script_world(frame).await?;
            let evaluate = EvaluateIn::value_of(expression, context);
            match self.ask_long(self.driver(), &evaluate).await {
                Err(error) if is_replaced(&error) => self.worlds.forget(frame),
                answer => break answer?,
            }
            self.pause(attempt).await;
            attempt += 1;
        };
        let value = answer.result.value.as_deref().map_or("null", |value| value.get());
        let unreadable = |error: serde_json::Error| crate::browser::CallError::Unreadable {
            method: "Runtime.evaluate",
            why: error.to_string(),
        };
        serde_json::from_str(value).map_err(|error| unreadable(error).into())
    }
}

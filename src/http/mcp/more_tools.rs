//! The tools beyond the core: each is one operation.

use rmcp::model::{ContentBlock, ResourceContents};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    agent::{Agent, leaves_dialogs, read},
    core_tools::element,
    more_arguments::{
        Cdp, CookieDelete, CookieList, CookieSet, EmulateMedia, LocalStorageDelete, LocalStorageSet, Markdown,
        MouseClickXy, MouseMoveXy, MouseWheel, PdfSave, Route, SessionSave, Unroute,
    },
    result::{Failure, Shown},
};
use crate::api_types::{
    AnyValue, Attributes, Cookie, CookieFilter, RouteAction, Setting,
    operations::{
        ElementName, ListSessions, PageCdp, PageClick, PageCookies, PageEmulate, PageHover, PageMarkdown, PagePdf,
        PageRequest, PageRoute, PageScroll, PageStorage, PageUnroute, SaveSnapshot,
    },
};

/// Most bytes of a PDF, in base64.
const PDF_MOST: usize = 4 * 1024 * 1024;

#[derive(Deserialize)]
struct Routes {
    routes: Box<RawValue>,
}

#[derive(Deserialize)]
struct Cookies {
    cookies: Vec<Cookie>,
}

#[derive(Deserialize)]
struct Storage {
    items: Box<RawValue>,
}

fn told(text: &str) -> Shown {
    let mut shown = Shown::default();
    shown.tell(text);
    shown
}

impl Agent<'_> {
    pub(super) async fn route(&self, asked: Route) -> Result<Shown, Failure> {
        let Route { pattern, abort, status, body, content_type } = asked;
        let headers = content_type.map(|kind| ("Content-Type".to_owned(), kind)).into_iter().collect();
        let route = PageRoute {
            url: Some(pattern),
            action: if abort { RouteAction::Abort } else { RouteAction::Fulfill },
            status: status.filter(|_| !abort),
            headers: Attributes(headers),
            body: body.filter(|_| !abort),
            ..PageRoute::default()
        };
        let Routes { routes } = self.ask(route).await?;
        Ok(Shown::saying(routes.get()))
    }

    pub(super) async fn routes(&self) -> Result<Shown, Failure> {
        let Routes { routes } = self.ask(PageRoute::default()).await?;
        Ok(Shown::saying(routes.get()))
    }

    pub(super) async fn unroute(&self, Unroute { route }: Unroute) -> Result<Shown, Failure> {
        let Routes { routes } = self.ask(PageUnroute { route, ..PageUnroute::default() }).await?;
        Ok(Shown::saying(routes.get()))
    }

    pub(super) async fn cookies(&self, CookieList { domain, path }: CookieList) -> Result<Shown, Failure> {
        let Cookies { cookies } = self.ask(PageCookies::default()).await?;
        let mut shown = Shown::default();
        let is_wanted = |has: &Option<String>, wanted: &Option<String>| wanted.is_none() || has == wanted;
        let wanted = cookies.iter().filter(|one| is_wanted(&one.domain, &domain) && is_wanted(&one.path, &path));
        for cookie in wanted {
            shown.tell(&serde_json::to_string(cookie).unwrap_or_default());
        }
        if shown.is_empty() {
            shown.say("There is no cookie.");
        }
        Ok(shown)
    }

    pub(super) async fn set_cookie(&self, asked: CookieSet) -> Result<Shown, Failure> {
        let CookieSet { name, value, domain, path, expires, http_only, secure, same_site } = asked;
        let page = self.undisturbed().await?;
        let url = match &domain {
            Some(_) => None,
            None => self.tabs().await?.into_iter().find(|tab| tab.target_id == page).map(|tab| tab.url),
        };
        let cookie = Cookie { name, value, url, domain, path, expires, http_only, secure, same_site };
        self.on(&page, PageCookies { set: vec![cookie], ..PageCookies::default() }).await?;
        Ok(Shown::saying("The cookie is set."))
    }

    pub(super) async fn delete_cookie(&self, CookieDelete { name }: CookieDelete) -> Result<Shown, Failure> {
        let filter = CookieFilter { name: Some(name), ..CookieFilter::default() };
        let Cookies { .. } = self.ask(PageCookies { remove: vec![filter], ..PageCookies::default() }).await?;
        Ok(Shown::saying("The cookies of this name are deleted."))
    }

    pub(super) async fn clear_cookies(&self) -> Result<Shown, Failure> {
        let Cookies { .. } = self.ask(PageCookies { clear: true, ..PageCookies::default() }).await?;
        Ok(Shown::saying("All cookies are deleted."))
    }

    pub(super) async fn storage(&self) -> Result<Shown, Failure> {
        let Storage { items } = self.ask(PageStorage::default()).await?;
        Ok(told(items.get()))
    }

    pub(super) async fn set_storage(&self, LocalStorageSet { key, value }: LocalStorageSet) -> Result<Shown, Failure> {
        let set = Attributes([(key, value)].into());
        let Storage { .. } = self.ask(PageStorage { set, ..PageStorage::default() }).await?;
        Ok(Shown::saying("The item is set."))
    }

    pub(super) async fn delete_storage(
        &self,
        LocalStorageDelete { key }: LocalStorageDelete,
    ) -> Result<Shown, Failure> {
        let Storage { .. } = self.ask(PageStorage { remove: vec![key], ..PageStorage::default() }).await?;
        Ok(Shown::saying("The item is deleted."))
    }

    pub(super) async fn click_at(&self, asked: MouseClickXy) -> Result<Shown, Failure> {
        let MouseClickXy { x, y, button, click_count } = asked;
        let (x, y, expect) = (Some(x), Some(y), Some(leaves_dialogs()));
        let click = PageClick { expect, button, click_count, x, y, ..PageClick::default() };
        self.act(vec![PageRequest::PageClick(click)]).await
    }

    pub(super) async fn move_to(&self, MouseMoveXy { x, y }: MouseMoveXy) -> Result<Shown, Failure> {
        let hover = PageHover { x: Some(x), y: Some(y), expect: Some(leaves_dialogs()), ..PageHover::default() };
        self.act(vec![PageRequest::PageHover(hover)]).await
    }

    pub(super) async fn wheel(&self, MouseWheel { delta_x, delta_y }: MouseWheel) -> Result<Shown, Failure> {
        let scroll = PageScroll { dx: Some(delta_x), dy: Some(delta_y), ..PageScroll::default() };
        self.act(vec![PageRequest::PageScroll(scroll)]).await
    }

    pub(super) async fn pdf(&self, PdfSave { filename }: PdfSave) -> Result<Shown, Failure> {
        #[derive(Deserialize)]
        struct Printed {
            data: String,
        }

        let Printed { data } = self.ask(PagePdf::default()).await?;
        if let Some(name) = filename {
            return self.keep_base64(name, &data).await;
        }
        if data.len() > PDF_MOST {
            let words = format!("The PDF has more than {PDF_MOST} bytes in base64: save it with filename.");
            return Err(Failure::Words(words));
        }
        let mut shown = Shown::saying("The PDF is from the page.");
        let pdf = ResourceContents::blob(data, "ghostmux://page.pdf").with_mime_type("application/pdf");
        shown.add(ContentBlock::resource(pdf));
        Ok(shown)
    }

    pub(super) async fn markdown(&self, Markdown { target }: Markdown) -> Result<Shown, Failure> {
        #[derive(Deserialize)]
        struct AsMarkdown {
            markdown: String,
        }

        let ElementName { selector, of_ref, .. } = target.as_deref().map(element).unwrap_or_default();
        let AsMarkdown { markdown } = self.ask(PageMarkdown { selector, of_ref, ..PageMarkdown::default() }).await?;
        Ok(told(&markdown))
    }

    pub(super) async fn emulate(&self, asked: EmulateMedia) -> Result<Shown, Failure> {
        fn set<T>(value: Option<T>) -> Setting<T> {
            value.map_or(Setting::Keep, Setting::Set)
        }

        let EmulateMedia { color_scheme, reduced_motion, media } = asked;
        let (color_scheme, reduced_motion, media) = (set(color_scheme), set(reduced_motion), set(media));
        let emulate = PageEmulate { media, color_scheme, reduced_motion, ..PageEmulate::default() };
        self.act(vec![PageRequest::PageEmulate(emulate)]).await
    }

    pub(super) async fn cdp(&self, Cdp { method, params }: Cdp) -> Result<Shown, Failure> {
        #[derive(Deserialize)]
        struct Answered {
            result: Box<RawValue>,
        }

        let params = params.map(|params| AnyValue(Value::Object(params)));
        let Answered { result } = self.ask(PageCdp { method, params, ..PageCdp::default() }).await?;
        Ok(told(result.get()))
    }

    pub(super) async fn sessions(&self) -> Result<Shown, Failure> {
        #[derive(Deserialize)]
        struct Sessions {
            sessions: Vec<One>,
        }
        #[derive(Deserialize)]
        struct One {
            id: String,
            state: String,
            name: Option<String>,
        }

        let Sessions { sessions } = read(&self.perform(ListSessions::default()).await?)?;
        let mut shown = Shown::default();
        for One { id, state, name } in sessions {
            shown.say(&format!("- {id} ({state}) {}", name.unwrap_or_default()));
        }
        if shown.is_empty() {
            shown.say("There is no session.");
        }
        Ok(shown)
    }

    pub(super) async fn save(&self, SessionSave { name }: SessionSave) -> Result<Shown, Failure> {
        #[derive(Deserialize)]
        struct Saved {
            snapshot: Id,
        }
        #[derive(Deserialize)]
        struct Id {
            id: String,
        }

        let save = SaveSnapshot { id: Some(self.session.clone()), name, ..SaveSnapshot::default() };
        let Saved { snapshot: Id { id } } = read(&self.perform(save).await?)?;
        Ok(Shown::saying(format!("snapshot: {id}\nbrowser_session begins a session with it.")))
    }
}

//! Leads each request about the state of a page to its action.

use serde_json::value::RawValue;

use super::{acting::Before, driven::Page, log::EarlierLines, means::Means};
use crate::{
    api_types::{
        Acted, Bad, CdpResult, ConsoleOf, CookiesOf, MarkdownOf, NetworkOf, Reply, RoutesOf, ScriptValue, ScriptsOf,
        StorageOf,
        operations::{
            PageAuthenticate, PageCdp, PageConsole, PageCookies, PageEmulate, PageHeaders, PageMarkdown, PageNetwork,
            PagePermissions, PageRequest, PageRoute, PageScripts, PageStorage, PageUnroute, PageViewport,
        },
    },
    session::pages::PageError,
};

/// Performs a request about the state of a page; `None` if it is another one.
pub(super) async fn perform(
    page: &Page,
    means: &Means,
    request: &PageRequest,
    before: Before,
) -> Result<Option<Reply>, PageError> {
    let what = request.name();
    let (held, after) = (page.held(), async || before.and_after(page).await);
    let acted = async || after().await.map(Acted::new);
    page.waits_for("the browser to answer");
    Ok(Some(match request {
        PageRequest::PageViewport(viewport) => {
            means.set_viewport(viewport).await?;
            Reply::of::<PageViewport>(&acted().await?)
        }
        PageRequest::PageEmulate(emulate) => {
            means.emulate(&held.media, emulate).await?;
            Reply::of::<PageEmulate>(&acted().await?)
        }
        PageRequest::PageHeaders(PageHeaders { headers, .. }) => {
            means.set_headers(headers).await?;
            Reply::of::<PageHeaders>(&acted().await?)
        }
        PageRequest::PagePermissions(permissions) => {
            means.grant(permissions).await?;
            Reply::of::<PagePermissions>(&acted().await?)
        }
        PageRequest::PageAuthenticate(authenticate) => {
            held.routes.authenticate(page.driver(), means, authenticate).await?;
            Reply::of::<PageAuthenticate>(&acted().await?)
        }
        PageRequest::PageCookies(cookies) => {
            let cookies = means.cookies(cookies).await?;
            Reply::of::<PageCookies>(&CookiesOf::new(after().await?, cookies))
        }
        PageRequest::PageStorage(storage) => {
            let (origin, items) = page.storage(what, storage).await?;
            Reply::of::<PageStorage>(&StorageOf::new(after().await?, origin, items))
        }
        PageRequest::PageRoute(route) => {
            let added = held.routes.add(page.driver(), means, route).await?;
            Reply::of::<PageRoute>(&RoutesOf::new(after().await?, held.routes.list(), added))
        }
        PageRequest::PageUnroute(unroute) => {
            held.routes.remove(page.driver(), unroute).await?;
            Reply::of::<PageUnroute>(&RoutesOf::new(after().await?, held.routes.list(), None))
        }
        PageRequest::PageScripts(scripts) => {
            let added = held.scripts.change(page.driver(), scripts).await?;
            Reply::of::<PageScripts>(&ScriptsOf::new(after().await?, held.scripts.list(), added))
        }
        PageRequest::PageCdp(PageCdp { method, params, .. }) => {
            let params = params.as_ref().map_or_else(|| "{}".to_owned(), |params| params.0.to_string());
            if !params.starts_with('{') {
                return Err(Bad::new("params", "is no object").into());
            }
            let result = means.commands.call(method, params).await?;
            let most = page.limits().result;
            if result.len() > most {
                return Err(PageError::TooLarge { size: result.len(), most });
            }
            let result = ScriptValue(RawValue::from_string(result).unwrap_or_default());
            Reply::of::<PageCdp>(&CdpResult::new(after().await?, result))
        }
        PageRequest::PageMarkdown(markdown) => {
            let markdown = page.markdown(what, markdown.element()?.as_deref()).await?;
            Reply::of::<PageMarkdown>(&MarkdownOf::new(after().await?, markdown))
        }
        PageRequest::PageConsole(console) => {
            if !console.stop && held.console.begin(page.driver()).await? {
                // The page's own CDP session has got these before.
                let mut earlier = EarlierLines::default();
                page.listen(&page.main(), |event| earlier.add(event, page.limits())).await?;
                held.console.put_before(earlier, page.limits());
            }
            let (entries, dropped) = held.console.read(page.driver(), console);
            Reply::of::<PageConsole>(&ConsoleOf::new(after().await?, entries, dropped))
        }
        PageRequest::PageNetwork(network) => {
            let (har, dropped) = held.network.read(page.driver(), network).await?;
            Reply::of::<PageNetwork>(&NetworkOf::new(after().await?, har, dropped))
        }
        _ => return Ok(None),
    }))
}

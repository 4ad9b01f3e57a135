//! Sets the cookies of a context, and finds those that Chrome did not store.

use std::collections::HashSet;

use super::Restore;
use crate::{
    browser::{
        CallError, ContextHandle,
        commands::{GetCookies, Nothing, commands},
    },
    cdp::ids::ContextId,
    snapshot::{
        SnapshotError,
        record::{Cookie, PartitionKey},
    },
};

commands! {
    "Storage.setCookies" = SetCookies<'a> { browser_context_id: &'a str, cookies: &'a [Cookie] } -> Nothing;
}

impl Restore<'_> {
    pub(super) async fn set_cookies(&mut self, cookies: Vec<Cookie>) -> Result<(), SnapshotError> {
        let Some(context) = self.context.clone() else { return Ok(()) };
        match self.put_cookies(&context, &cookies).await {
            Ok(()) => {}
            Err(error @ CallError::Gone) => return Err(error.into()),
            // One invalid cookie makes Chrome refuse the whole list: setting them one by one shows which.
            Err(_) => {
                for cookie in &cookies {
                    if let Err(error) = self.put_cookies(&context, std::slice::from_ref(cookie)).await {
                        self.fail("cookie", &place_of(cookie), error.into())?;
                    }
                }
            }
        }
        self.cookies.extend(cookies);
        Ok(())
    }

    async fn put_cookies(&self, context: &ContextId, cookies: &[Cookie]) -> Result<(), CallError> {
        self.place.ask(&SetCookies { browser_context_id: context.as_str(), cookies }).await.map(drop)
    }
}

/// The cookies of a context.
pub(super) async fn all_in(place: &ContextHandle, context: &ContextId) -> Result<Vec<Cookie>, SnapshotError> {
    let there = place.ask(&GetCookies { browser_context_id: context.as_str() }).await?.cookies;
    Ok(there.iter().filter_map(|raw| serde_json::from_str(raw.get()).ok()).collect())
}

/// The cookies that are missing. Chrome does not report a cookie that it did not store, for example one that has
/// expired meanwhile.
pub(super) fn missing<'a>(set: &'a [Cookie], there: &[Cookie]) -> Vec<&'a Cookie> {
    let there: HashSet<_> = there.iter().map(identity).collect();
    set.iter().filter(|cookie| !there.contains(&identity(cookie))).collect()
}

/// The attributes by which Chrome distinguishes a context's cookies.
fn identity(cookie: &Cookie) -> (&str, &str, &str, Option<&PartitionKey>) {
    (&cookie.name, &cookie.domain, &cookie.path, cookie.partition_key.as_ref())
}

/// The name of a cookie in reports.
pub(super) fn place_of(cookie: &Cookie) -> String {
    format!("{} {}", cookie.domain, cookie.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(name: &str, domain: &str, path: &str, site: Option<&str>) -> Cookie {
        let key = site.map(|site| serde_json::json!({ "topLevelSite": site, "hasCrossSiteAncestor": false }));
        let cookie =
            serde_json::json!({ "name": name, "value": "v", "domain": domain, "path": path, "partitionKey": key });
        serde_json::from_value(cookie).expect("a cookie")
    }

    #[test]
    fn cookies_match_by_name_domain_path_and_partition() {
        let set = [cookie("n", "a.test", "/", Some("https://b.test"))];
        assert!(missing(&set, &set).is_empty());
        for other in [
            cookie("m", "a.test", "/", Some("https://b.test")),
            cookie("n", ".a.test", "/", Some("https://b.test")),
            cookie("n", "a.test", "/x", Some("https://b.test")),
            cookie("n", "a.test", "/", Some("https://c.test")),
            cookie("n", "a.test", "/", None),
        ] {
            assert_eq!(missing(&set, std::slice::from_ref(&other)), [&set[0]], "{other:?}");
        }
    }

    /// Each with each would be 40 billion comparisons: minutes.
    #[test]
    fn cookie_comparison_is_linear() {
        let set: Vec<Cookie> = (0..200_000).map(|at| cookie(&at.to_string(), "a.test", "/", None)).collect();
        let since = std::time::Instant::now();
        let missing = missing(&set, &set[1..]);
        assert_eq!(missing, [&set[0]]);
        assert!(since.elapsed().as_secs() < 10, "{:?}", since.elapsed());
    }
}

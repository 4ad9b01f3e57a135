//! Scripts of callers that run in each new document of a page, before the scripts of the document. Those of clients run too:
//! each CDP session has its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use super::injected::SCRIPT_WORLD;
use crate::{
    api_types::{Bad, InitScript, World, operations::PageScripts},
    browser::{
        PageDriver,
        commands::{Nothing, commands},
    },
    session::pages::PageError,
};

/// Most scripts of a page.
const SCRIPTS_MOST: usize = 16;

commands! {
    "Page.addScriptToEvaluateOnNewDocument" = AddScript<'a> {
        source: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        world_name: Option<&'a str>,
    } -> Added;
    "Page.removeScriptToEvaluateOnNewDocument" = RemoveScript<'a> { identifier: &'a str } -> Nothing;
}

/// The result of `Page.addScriptToEvaluateOnNewDocument`.
#[derive(Debug, Deserialize)]
pub(crate) struct Added {
    identifier: String,
}

/// The scripts of a page.
#[derive(Debug, Default)]
pub(super) struct InitScripts(Mutex<Vec<InitScript>>);

impl InitScripts {
    fn now(&self) -> MutexGuard<'_, Vec<InitScript>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.now().is_empty()
    }

    /// The scripts, for a caller.
    pub(super) fn list(&self) -> Vec<InitScript> {
        self.now().clone()
    }
}

impl InitScripts {
    /// Removes a script, adds one. Returns the id of that.
    pub(super) async fn change(&self, driver: &PageDriver, request: &PageScripts) -> Result<Option<String>, PageError> {
        if let Some(id) = &request.remove {
            if !self.now().iter().any(|script| script.id == *id) {
                return Err(Bad::new("remove", format!("the page has no script {id:?}; scripts lists them")).into());
            }
            driver.ask(&RemoveScript { identifier: id }).await?;
            self.now().retain(|script| script.id != *id);
        }
        let Some(source) = &request.add else { return Ok(None) };
        if self.now().len() >= SCRIPTS_MOST {
            return Err(PageError::Many { what: "init scripts", most: SCRIPTS_MOST });
        }
        let world_name = (request.world == World::Isolated).then_some(SCRIPT_WORLD);
        let Added { identifier: id } = driver.ask(&AddScript { source, world_name }).await?;
        let size = u32::try_from(source.len()).unwrap_or(u32::MAX);
        self.now().push(InitScript { id: id.clone(), world: request.world, size });
        Ok(Some(id))
    }
}

//! Performs the actions of a list one after the other. The page's task performs nothing else meanwhile.

use serde_json::{json, value::RawValue};
use tokio::time::Instant;

use super::{acting::Before, driven::Page, means::Means, perform};
use crate::{
    api_types::{
        ActionsDone, AnyValue, Bad, Reply, ScriptValue, StepResult,
        capability::Granted,
        operations::{ActionStep, PageActions},
    },
    config::PageLimits,
    session::pages::{PageError, Progress, Told},
};

/// Who hears of the actions before the last one is done.
pub(super) struct Audience {
    /// Gets the result of each action, as JSON.
    pub(super) progress: Option<Progress>,
    /// Describes an error as a part of a result.
    pub(super) told: Told,
}

/// Performs a list within one time limit.
pub(super) async fn perform(
    page: &Page,
    means: &Means,
    granted: Granted,
    limits: PageLimits,
    list: PageActions,
    audience: Audience,
) -> Result<Reply, PageError> {
    let steps = list.steps()?;
    if steps.is_empty() || steps.len() > limits.actions {
        let why =
            format!("{} actions are not between 1 and {}, which page_actions allows", steps.len(), limits.actions);
        return Err(Bad::new("actions", why).into());
    }
    let asked = list.timeout.map_or(limits.timeout, |timeout| timeout.0);
    let deadline = Instant::now() + asked.min(limits.timeout_most);
    let before = Before::of(page);
    let (mut results, mut failed, mut size) = (Vec::with_capacity(steps.len()), 0, 0);
    for (step, ActionStep { action, request }) in steps.into_iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let within = PageLimits { timeout: left, timeout_most: left, result: limits.result - size, ..limits };
        let performed = perform::perform(page, means, granted, within, request).await;
        let mut result = StepResult {
            step: u32::try_from(step).unwrap_or(u32::MAX),
            action: action.clone(),
            result: None,
            error: None,
        };
        match performed {
            Ok(Reply { output, .. }) => {
                size += output.len();
                result.result = RawValue::from_string(output).ok().map(ScriptValue);
            }
            Err(error) => {
                let is_late = matches!(error, PageError::Timeout { .. });
                let (error, AnyValue(shown)) = (audience.told)(error);
                let is_last = !list.continue_on_error || matches!(error, PageError::Closed);
                result.error = Some(AnyValue(shown));
                failed += 1;
                if is_last {
                    audience.tell(&result);
                    return Err(PageError::Step { step, action, error: Box::new(error), results });
                }
                if is_late {
                    page.recover().await;
                }
            }
        }
        audience.tell(&result);
        results.push(result);
    }
    Ok(Reply::of::<PageActions>(&ActionsDone::new(before.without_events(page), results, failed)))
}

impl Audience {
    fn tell(&self, result: &StepResult) {
        if let Some(progress) = &self.progress {
            // A listener that has gone needs nothing.
            let _ = progress.send(json!(result).to_string());
        }
    }
}

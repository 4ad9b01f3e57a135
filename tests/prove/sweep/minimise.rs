//! Finds the smallest set of commands that causes the harm.

use std::time::Duration;

use serde_json::Value;

use super::{
    stage::{Command, On},
    world::{Harm, World},
};
use crate::browsers::Browser;

/// The number of attempts, each with a new browser.
const TRIES: usize = 150;
const SHOWS: Duration = Duration::from_secs(4);

struct Tries<'a> {
    browser: &'a Browser,
    secret: &'a str,
    tenants: usize,
    left: usize,
}

/// The smallest part of `suspects` that harms a new world; `None` if no part does.
pub(super) async fn smallest(
    browser: &Browser,
    secret: &str,
    tenants: usize,
    suspects: &[Command],
) -> Option<(Vec<Command>, Harm)> {
    let mut tries = Tries { browser, secret, tenants, left: TRIES };
    let mut commands = suspects.to_vec();
    // The last commands are the most likely cause.
    let mut harm = None;
    let mut tail = 40;
    while harm.is_none() {
        let from = suspects.len().saturating_sub(tail);
        commands = suspects[from..].to_vec();
        harm = tries.harm(&commands).await;
        if from == 0 && harm.is_none() {
            return None;
        }
        tail *= 4;
    }
    let mut harm = harm?;
    // Leaves out halves, quarters and so on while the rest still causes the harm.
    let mut part = commands.len().div_ceil(2);
    while tries.left > 0 && commands.len() > 1 {
        let mut at = 0;
        let mut shrank = false;
        while at < commands.len() && commands.len() > 1 {
            let end = (at + part).min(commands.len());
            let rest = [&commands[..at], &commands[end..]].concat();
            match tries.harm(&rest).await {
                Some(found) => {
                    (commands, harm, shrank) = (rest, found, true);
                }
                None => at = end,
            }
        }
        if part == 1 && !shrank {
            break;
        }
        part = part.div_ceil(2).min(commands.len());
    }
    if let [command] = commands.as_mut_slice() {
        let names: Vec<String> = command.params.as_object().into_iter().flat_map(|it| it.keys().cloned()).collect();
        for name in names {
            let mut smaller = command.clone();
            if let Value::Object(params) = &mut smaller.params {
                params.remove(&name);
            }
            if let Some(found) = tries.harm(std::slice::from_ref(&smaller)).await {
                *command = smaller;
                harm = found;
            }
        }
    }
    Some((commands, harm))
}

impl Tries<'_> {
    /// The harm of these commands to a new world.
    async fn harm(&mut self, commands: &[Command]) -> Option<Harm> {
        if self.left == 0 || commands.is_empty() {
            return None;
        }
        self.left -= 1;
        let world = World::new(self.browser, self.secret, self.tenants).await;
        if let On::Ended(state) = commands[0].on {
            world.ended(state).await.ok()?.run(commands).await;
            return world.harm_within(SHOWS).await;
        }
        let mut stage = world.stage().await.ok()?;
        let mut commands = commands;
        // In their original batches: a batch ends where the method or the CDP session changes.
        while let Some(first) = commands.first() {
            let same = |other: &Command| other.method == first.method && other.on == first.on;
            let length = commands.iter().take_while(|other| same(other)).count();
            let (batch, rest) = commands.split_at(length);
            commands = rest;
            if stage.run(batch).await != super::stage::Ran::Well && !rest.is_empty() {
                if let Some(harm) = world.harm_within(SHOWS).await {
                    return Some(harm);
                }
                stage = world.stage().await.ok()?;
            }
        }
        world.harm_within(SHOWS).await
    }
}

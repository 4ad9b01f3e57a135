//! The order of the decisions about browsers. PURE.

use super::{
    decision::{Decision, Evidence, Figures, Rules, What},
    recycling, scaling,
};

/// The next decision; `None` if there is nothing to decide. It is to be carried out before the next one is made, unless
/// it is [`What::Hold`].
pub(super) fn decide(figures: &Figures, rules: &Rules) -> Option<Decision> {
    let connect =
        figures.unconnected.map(|source| Decision { what: What::Connect(source), why: Evidence::NotConnected });
    recycling::end(figures, rules).or(connect).or_else(|| {
        let scaling = scaling::decide(figures, rules);
        match scaling {
            Some(Decision { what: What::Hold, .. }) | None => recycling::decide(figures, rules).or(scaling),
            scaling => scaling,
        }
    })
}

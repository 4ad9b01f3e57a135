//! Leads the requests of a user's actions to the mouse, the finger, forms and files.

use super::{
    acting::{Before, needed},
    driven::Page,
    pointer::{Act, How},
};
use crate::{
    api_types::{
        Acted, Bad, Point, Reply,
        operations::{
            ElementName, PageBlur, PageClick, PageDblclick, PageDrag, PageFillForm, PageHover, PageRequest, PageTap,
            PageUpload,
        },
    },
    session::pages::PageError,
};

/// Most CSS pixels of a coordinate.
const FAR: f64 = 100_000.0;

/// Where the pointer acts.
#[derive(Debug)]
enum Spot {
    Element(String),
    /// Of the viewport.
    Point((f64, f64)),
}

/// Performs such a request.
pub(super) async fn interact(
    page: &Page,
    before: Before,
    what: &'static str,
    request: PageRequest,
) -> Result<Reply, PageError> {
    let acted = async || before.and_after(page).await.map(Acted::new);
    Ok(match request {
        PageRequest::PageClick(click) => {
            let spot = spot(click.element()?, (click.x, click.y), click.position)?;
            let PageClick { button, click_count, modifiers, position, delay, force, trial, .. } = click;
            let count = click_count.unwrap_or(1);
            if !(1..=3).contains(&count) {
                return Err(Bad::new("clickCount", format!("{count} is not between 1 and 3")).into());
            }
            let delay = delay.map(|delay| delay.0).unwrap_or_default();
            let act = Act::Click { button, count, modifiers, delay };
            page.at_spot(what, spot, &act, How { force, trial, position }).await?;
            Reply::of::<PageClick>(&acted().await?)
        }
        PageRequest::PageDblclick(click) => {
            let spot = spot(click.element()?, (click.x, click.y), click.position)?;
            let PageDblclick { button, modifiers, position, delay, force, trial, .. } = click;
            let delay = delay.map(|delay| delay.0).unwrap_or_default();
            let act = Act::Click { button, count: 2, modifiers, delay };
            page.at_spot(what, spot, &act, How { force, trial, position }).await?;
            Reply::of::<PageDblclick>(&acted().await?)
        }
        PageRequest::PageHover(hover) => {
            let spot = spot(hover.element()?, (hover.x, hover.y), hover.position)?;
            let PageHover { modifiers, position, force, trial, .. } = hover;
            page.at_spot(what, spot, &Act::Move { modifiers }, How { force, trial, position }).await?;
            Reply::of::<PageHover>(&acted().await?)
        }
        PageRequest::PageTap(tap) => {
            let spot = spot(tap.element()?, (tap.x, tap.y), tap.position)?;
            let PageTap { modifiers, position, force, trial, .. } = tap;
            page.at_spot(what, spot, &Act::Tap { modifiers }, How { force, trial, position }).await?;
            Reply::of::<PageTap>(&acted().await?)
        }
        PageRequest::PageDrag(drag) => {
            page.drag(what, drag).await?;
            Reply::of::<PageDrag>(&acted().await?)
        }
        PageRequest::PageBlur(blur) => {
            page.blur(what, &needed(blur.element())?).await?;
            Reply::of::<PageBlur>(&acted().await?)
        }
        PageRequest::PageFillForm(form) => {
            page.fill_form(what, &form.fields).await?;
            Reply::of::<PageFillForm>(&acted().await?)
        }
        PageRequest::PageUpload(upload) => {
            let selector = needed(upload.element())?;
            let files = page.files_for(&upload.files).await?;
            page.upload(what, &selector, files).await?;
            Reply::of::<PageUpload>(&acted().await?)
        }
        _ => return Err(PageError::Closed),
    })
}

/// The element, or the point of the viewport.
fn spot(element: Option<String>, (x, y): (Option<f64>, Option<f64>), position: Option<Point>) -> Result<Spot, Bad> {
    if let Some(Point { x, y }) = position
        && !(is_near(x) && is_near(y))
    {
        return Err(Bad::new("position", format!("has a coordinate beyond {FAR}")));
    }
    match (element, x, y) {
        (Some(element), None, None) => Ok(Spot::Element(element)),
        (None, Some(_), Some(_)) if position.is_some() => {
            Err(Bad::new("position", "is in an element; x and y are in the viewport"))
        }
        (None, Some(x), Some(y)) if is_near(x) && is_near(y) => Ok(Spot::Point((x, y))),
        (None, Some(_), Some(_)) => Err(Bad::new("x", format!("and y are not between -{FAR} and {FAR}"))),
        (None, None, None) => needed(Ok(None)).map(Spot::Element),
        _ => Err(Bad::new("x", "and y are given together, and without an element; in an element it is position")),
    }
}

fn is_near(coordinate: f64) -> bool {
    coordinate.abs() <= FAR
}

impl Page {
    async fn at_spot(&self, what: &'static str, spot: Spot, act: &Act, how: How) -> Result<(), PageError> {
        match spot {
            Spot::Element(selector) => self.point(what, &selector, act, how).await,
            Spot::Point(_) if how.trial => Ok(()),
            Spot::Point(point) => {
                self.waits_for("the input to be handled");
                self.act(point, act).await?;
                self.settle().await
            }
        }
    }

    async fn drag(&self, what: &'static str, drag: PageDrag) -> Result<(), PageError> {
        let PageDrag { source, target, source_position, target_position, steps, force, trial, .. } = drag;
        let steps = steps.unwrap_or(2);
        if !(1..=1000).contains(&steps) {
            return Err(Bad::new("steps", format!("{steps} is not between 1 and 1000")).into());
        }
        let named = |name: &ElementName, field, position| {
            let selector = name.element()?.ok_or_else(|| Bad::new(field, "names no element"))?;
            spot(Some(selector.clone()), (None, None), position).map(|_| selector)
        };
        let source = named(&source, "source", source_position)?;
        let target = named(&target, "target", target_position)?;
        self.is_at(Some("source".to_owned()));
        self.point(what, &source, &Act::Down, How { force, trial, position: source_position }).await?;
        self.is_at(Some("target".to_owned()));
        self.point(what, &target, &Act::Up { steps }, How { force, trial, position: target_position }).await?;
        self.is_at(None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spot_is_an_element_or_a_point() {
        let element = || Some("a".to_owned());
        assert!(matches!(spot(element(), (None, None), Some(Point { x: 1.0, y: -1.0 })), Ok(Spot::Element(_))));
        assert!(matches!(spot(None, (Some(1.5), Some(0.0)), None), Ok(Spot::Point((1.5, 0.0)))));
        for (element, at, position) in [
            (None, (None, None), None),
            (None, (Some(1.0), None), None),
            (element(), (Some(1.0), Some(1.0)), None),
            (None, (Some(1.0), Some(1.0)), Some(Point { x: 1.0, y: 1.0 })),
            (None, (Some(f64::NAN), Some(1.0)), None),
            (None, (Some(1.0), Some(1e9)), None),
            (element(), (None, None), Some(Point { x: f64::INFINITY, y: 0.0 })),
        ] {
            let spot = spot(element, at, position);
            assert!(spot.is_err(), "{spot:?}");
        }
    }
}

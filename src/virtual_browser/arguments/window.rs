//! Windows: how large one may be, and what states it knows.

use crate::{
    api_types::capability::{Capability, Granted},
    cdp::{emulation::MAX_WINDOW, json_object::JsonObject},
};

/// `Browser.WindowState`.
const STATES: [&str; 4] = ["normal", "minimized", "maximized", "fullscreen"];

/// Makes the window that these params (`width`, `height`) describe no larger than may be, as a window manager does with
/// one that is larger than the screen. True if something had to be changed.
pub fn limit_window(params: &mut JsonObject<'_>, granted: Granted) -> bool {
    let mut changed = false;
    for name in ["width", "height"] {
        let too_long = params.read_as::<f64>(name).is_some_and(|side| side > MAX_WINDOW);
        if too_long && !granted.has(Capability::Dedicated) {
            params.set_raw(name, MAX_WINDOW.to_string());
            changed = true;
        }
    }
    changed
}

/// Makes the window that the params of `Browser.setWindowBounds` describe no larger than may be; the error is for their
/// client, with the code -32602.
///
/// SIGTRAP of full Chrome with a state that it does not know. The text is that of the shell.
pub fn check_bounds(params: &mut JsonObject<'_>, granted: Granted) -> Result<(), String> {
    let Some(bounds) = params.get("bounds").filter(|bounds| bounds.starts_with('{')) else { return Ok(()) };
    // It has a key twice.
    let Some(mut bounds) = JsonObject::read(bounds) else { return Err("Invalid parameters".to_owned()) };
    if let Some(state) = bounds.string("windowState").filter(|state| !STATES.contains(&state.as_str())) {
        return Err(format!("Invalid window state: {state}"));
    }
    if limit_window(&mut bounds, granted) {
        let bounds = bounds.to_string();
        params.set_raw("bounds", bounds);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_types::capability::Capabilities;

    #[test]
    fn a_window_is_not_larger_than_may_be() {
        let limited = |params: &str, caps: Capabilities| {
            let mut object = JsonObject::read(params).expect("an object");
            limit_window(&mut object, Granted::new(caps, Capabilities::all()));
            object.to_string()
        };
        let strict = Capabilities::strict();
        for (asked, given) in [
            (r#"{"width":4096,"height":4097}"#, r#"{"width":4096,"height":4096}"#),
            (r#"{"left":1,"width":1e8}"#, r#"{"left":1,"width":4096}"#),
            // For Chrome to refuse.
            (r#"{"width":"100000000","height":-1}"#, r#"{"width":"100000000","height":-1}"#),
        ] {
            assert_eq!(limited(asked, strict), given);
        }
        let alone = Capabilities { dedicated: true, ..strict };
        assert_eq!(limited(r#"{"width":5000}"#, alone), r#"{"width":5000}"#);
    }
}

//! Limits the size of windows, and checks their states.

use crate::{
    api_types::capability::{Capability, Granted},
    cdp::{emulation::MAX_WINDOW, json_object::JsonObject},
};

/// `Browser.WindowState`.
const STATES: [&str; 4] = ["normal", "minimized", "maximized", "fullscreen"];

/// Limits the window size in these params (`width`, `height`), as a window manager limits a window to the screen. Returns
/// true if the params were changed.
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

/// Limits the window size in the params of `Browser.setWindowBounds`. The error is the text for the client, with the code
/// -32602.
///
/// An unknown state is refused with the text of headless shell, because it ends full Chrome with SIGTRAP.
pub fn check_bounds(params: &mut JsonObject<'_>, granted: Granted) -> Result<(), String> {
    let Some(bounds) = params.get("bounds").filter(|bounds| bounds.starts_with('{')) else { return Ok(()) };
    // The params have a duplicate key.
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
    fn window_size_is_limited() {
        let limited = |params: &str, caps: Capabilities| {
            let mut object = JsonObject::read(params).expect("an object");
            limit_window(&mut object, Granted::new(caps, Capabilities::all()));
            object.to_string()
        };
        let strict = Capabilities::strict();
        for (asked, given) in [
            (r#"{"width":4096,"height":4097}"#, r#"{"width":4096,"height":4096}"#),
            (r#"{"left":1,"width":1e8}"#, r#"{"left":1,"width":4096}"#),
            // Chrome refuses it.
            (r#"{"width":"100000000","height":-1}"#, r#"{"width":"100000000","height":-1}"#),
        ] {
            assert_eq!(limited(asked, strict), given);
        }
        let alone = Capabilities { dedicated: true, ..strict };
        assert_eq!(limited(r#"{"width":5000}"#, alone), r#"{"width":5000}"#);
    }
}

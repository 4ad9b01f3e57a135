//! The table of the tools: what `tools/list` says of each, and how its arguments are read.

use std::sync::{Arc, LazyLock};

use rmcp::model::{Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{arguments as core, more_arguments as more};
use crate::api_types::{self, Bad, Schemas};

/// A group of tools. All but the first are listed only to an agent that asks for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cap {
    Core,
    Network,
    Storage,
    Vision,
    Pdf,
    Devtools,
    Session,
    Human,
}

impl Cap {
    /// Those that can be asked for, by their names.
    const NAMED: [(&str, Self); 7] = [
        ("network", Self::Network),
        ("storage", Self::Storage),
        ("vision", Self::Vision),
        ("pdf", Self::Pdf),
        ("devtools", Self::Devtools),
        ("session", Self::Session),
        ("human", Self::Human),
    ];

    /// Reads a list of names with commas.
    pub(super) fn read(list: &str) -> Result<Vec<Self>, Bad> {
        let mut caps = vec![Self::Core];
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "core") {
            let known = Self::NAMED.iter().find(|(known, _)| *known == name);
            let (_, cap) = known.ok_or_else(|| {
                let known = Self::NAMED.map(|(name, _)| name).join(", ");
                let name: String = name.chars().take(40).collect();
                Bad::new("caps", format!("{name:?} is no group of tools; there are {known}"))
            })?;
            caps.push(*cap);
        }
        Ok(caps)
    }
}

/// What a tool may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// It changes nothing.
    Reads,
    /// It changes the page, and can be taken back.
    Moves,
    /// It may cause what cannot be taken back.
    Acts,
}

/// A tool.
pub(super) struct Row {
    pub(super) cap: Cap,
    /// As `tools/list` shows it.
    pub(super) tool: Tool,
    read: fn(&str) -> Result<Asked, Bad>,
}

impl Row {
    fn new<A: DeserializeOwned + JsonSchema>(
        name: &'static str,
        cap: Cap,
        effect: Effect,
        read: fn(&str) -> Result<Asked, Bad>,
    ) -> Self {
        let mut schema = Schemas::inline().input::<A>().schema;
        let description = schema["description"].as_str().unwrap_or_default().to_owned();
        slim(&mut schema);
        let mut members = match schema {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        members.remove("description");
        let properties = members.entry("properties").or_insert_with(|| json!({}));
        if let Some(properties) = properties.as_object_mut().filter(|_| name != "browser_session_list") {
            properties.insert("session".to_owned(), json!({ "type": "string" }));
        }
        let hints = ToolAnnotations::new().read_only(effect == Effect::Reads).destructive(effect == Effect::Acts);
        let tool = Tool::new(name, description, Arc::new(members)).with_annotations(hints);
        Self { cap, tool, read }
    }

    /// Reads the arguments.
    pub(super) fn read(&self, arguments: &str) -> Result<Asked, Bad> {
        (self.read)(arguments)
    }
}

/// Takes out of a schema what costs a model tokens and tells it nothing.
fn slim(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    members.remove("additionalProperties");
    members.remove("$comment");
    // An optional member is absent, and never null.
    if let Some(words) = members.get_mut("enum").and_then(Value::as_array_mut) {
        words.retain(|word| !word.is_null());
    }
    // The meanings of the words of an enum: they say what the words say.
    if members.contains_key("enum") && members.get("description").is_some_and(|text| text.to_string().contains('`')) {
        members.remove("description");
    }
    for (_, member) in members.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        slim(member);
    }
    members.get_mut("items").into_iter().for_each(slim);
}

macro_rules! tools {
    ($($name:literal $cap:ident $effect:ident $variant:ident($($arguments:tt)*),)*) => {
        /// A call of a tool, with its arguments.
        #[derive(Debug)]
        pub(super) enum Asked {
            $($variant($($arguments)*),)*
        }

        /// All tools.
        pub(super) static TOOLS: LazyLock<Vec<Row>> = LazyLock::new(|| vec![
            $(Row::new::<$($arguments)*>($name, Cap::$cap, Effect::$effect, |json| {
                api_types::read::<$($arguments)*>(json).map(Asked::$variant)
            }),)*
        ]);
    };
}

tools! {
    "browser_navigate" Core Acts Navigate(core::Navigate),
    "browser_navigate_back" Core Acts NavigateBack(core::NavigateBack),
    "browser_snapshot" Core Reads Snapshot(core::Snapshot),
    "browser_click" Core Acts Click(core::Click),
    "browser_type" Core Acts Type(core::Type),
    "browser_fill_form" Core Acts FillForm(core::FillForm),
    "browser_select_option" Core Acts SelectOption(core::SelectOption),
    "browser_press_key" Core Acts PressKey(core::PressKey),
    "browser_hover" Core Moves Hover(core::Hover),
    "browser_drag" Core Acts Drag(core::Drag),
    "browser_file_upload" Core Acts FileUpload(core::FileUpload),
    "browser_handle_dialog" Core Acts HandleDialog(core::HandleDialog),
    "browser_wait_for" Core Reads WaitFor(core::WaitFor),
    "browser_evaluate" Core Acts Evaluate(core::Evaluate),
    "browser_take_screenshot" Core Reads TakeScreenshot(core::TakeScreenshot),
    "browser_console_messages" Core Reads ConsoleMessages(core::ConsoleMessages),
    "browser_network_requests" Core Reads NetworkRequests(core::NetworkRequests),
    "browser_tabs" Core Acts Tabs(core::Tabs),
    "browser_resize" Core Moves Resize(core::Resize),
    "browser_close" Core Acts Close(core::Close),
    "browser_session" Core Acts Session(core::Session),
    "browser_route" Network Moves Route(more::Route),
    "browser_route_list" Network Reads RouteList(more::RouteList),
    "browser_unroute" Network Moves Unroute(more::Unroute),
    "browser_cookie_list" Storage Reads CookieList(more::CookieList),
    "browser_cookie_set" Storage Acts CookieSet(more::CookieSet),
    "browser_cookie_delete" Storage Acts CookieDelete(more::CookieDelete),
    "browser_cookie_clear" Storage Acts CookieClear(more::CookieClear),
    "browser_localstorage_list" Storage Reads LocalStorageList(more::LocalStorageList),
    "browser_localstorage_set" Storage Acts LocalStorageSet(more::LocalStorageSet),
    "browser_localstorage_delete" Storage Acts LocalStorageDelete(more::LocalStorageDelete),
    "browser_mouse_click_xy" Vision Acts MouseClickXy(more::MouseClickXy),
    "browser_mouse_move_xy" Vision Moves MouseMoveXy(more::MouseMoveXy),
    "browser_mouse_wheel" Vision Moves MouseWheel(more::MouseWheel),
    "browser_pdf_save" Pdf Reads PdfSave(more::PdfSave),
    "browser_markdown" Devtools Reads Markdown(more::Markdown),
    "browser_emulate_media" Devtools Moves EmulateMedia(more::EmulateMedia),
    "browser_cdp" Devtools Acts Cdp(more::Cdp),
    "browser_session_list" Session Reads SessionList(more::SessionList),
    "browser_session_save" Session Acts SessionSave(more::SessionSave),
    "browser_ask_human" Human Acts AskHuman(more::AskHuman),
}

/// The tool of this name, if the agent has asked for its group.
pub(super) fn named(name: &str, caps: &[Cap]) -> Option<&'static Row> {
    TOOLS.iter().find(|row| row.tool.name == name && caps.contains(&row.cap))
}

/// The tools of these groups.
pub(super) fn listed(caps: &[Cap]) -> Vec<Tool> {
    TOOLS.iter().filter(|row| caps.contains(&row.cap)).map(|row| row.tool.clone()).collect()
}

#[cfg(test)]
mod tests {
    use rmcp::model::ListToolsResult;

    use super::*;

    /// Most tokens of the list. A token is four bytes at the most.
    const TOKENS: usize = 4000;

    #[test]
    fn the_list_of_the_core_is_short() {
        let tools = listed(&[Cap::Core]);
        assert!(tools.len() <= 22, "{}", tools.len());
        let list = serde_json::to_string(&ListToolsResult::with_all_items(tools)).expect("JSON");
        println!("{} bytes, {} tokens", list.len(), list.len() / 4);
        assert!(list.len() / 4 <= TOKENS, "{} bytes: {list}", list.len());
    }

    #[test]
    fn every_tool_is_described_and_says_what_it_may_do() {
        for row in TOOLS.iter() {
            let tool = &row.tool;
            assert!(tool.description.as_ref().is_some_and(|text| !text.is_empty()), "{}", tool.name);
            let schema = Value::Object((*tool.input_schema).clone());
            assert_eq!(schema["type"], "object", "{}", tool.name);
            let text = schema.to_string();
            assert!(
                !text.contains("$ref") && !text.contains("null") && !text.contains("anyOf"),
                "{}: {text}",
                tool.name
            );
            let hints = tool.annotations.as_ref().expect("annotations");
            assert!(hints.read_only_hint.is_some() && hints.destructive_hint.is_some(), "{}", tool.name);
        }
        let names: std::collections::HashSet<_> = TOOLS.iter().map(|row| &row.tool.name).collect();
        assert_eq!(names.len(), TOOLS.len());
    }

    #[test]
    fn groups_are_asked_for_by_their_names() {
        assert_eq!(Cap::read("").expect("none"), [Cap::Core]);
        assert_eq!(Cap::read("pdf, core,session").expect("two"), [Cap::Core, Cap::Pdf, Cap::Session]);
        let why = Cap::read("pdf,humans").expect_err("unknown").to_string();
        assert!(why.contains("humans") && why.contains("vision"), "{why}");
        assert!(named("browser_cdp", &[Cap::Core]).is_none() && named("browser_cdp", &[Cap::Devtools]).is_some());
    }
}

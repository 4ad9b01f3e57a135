use super::*;
use crate::snapshot::{Report, ndjson::Writer};

const STATE: &str = include_str!("../../../fixtures/storage-state.json");

async fn there_and_back(state: &str) -> (serde_json::Value, Report, Report) {
    let mut bytes = Vec::new();
    let imported = import(state, &mut bytes).await.expect("imported");
    let (json, exported) = export(bytes.as_slice()).await.expect("exported");
    (serde_json::from_str(&json).expect("JSON"), imported, exported)
}

#[tokio::test]
async fn playwright_state_round_trips() {
    let (back, imported, exported) = there_and_back(STATE).await;
    let state: serde_json::Value = serde_json::from_str(STATE).expect("JSON");
    assert_eq!((imported.lost, exported.lost), (vec![], vec![]));
    assert_eq!(back, state);
}

#[tokio::test]
async fn documents_of_another_shape_are_refused() {
    for (state, why) in [
        ("", "EOF"),
        ("[]", "expected an object"),
        (r#"{"error":"no such thing"}"#, "neither cookies nor origins"),
        (r#"{"cookies":[]} {}"#, "trailing"),
        (r#"{"cookies":5}"#, "cookies"),
        (r#"{"cookies":[{"name":"a"}]}"#, "value"),
        (r#"{"origins":[{"origin":"chrome://settings"}]}"#, "is not an origin"),
        (r#"{"origins":[{"origin":"https://a.test/path"}]}"#, "is not an origin"),
        (
            r#"{"origins":[{"origin":"https://a.test","localStorage":[{"name":"a"}]}]}"#,
            "origins[0].localStorage[0]: missing field `value`",
        ),
        (
            r#"{"origins":[{"origin":"https://a.test","localStorage":[{"name":"a","value":1}]}]}"#,
            "origins[0].localStorage[0].value: it is a number, and a string is expected",
        ),
        (
            r#"{"origins":[{"origin":"https://a.test","indexedDB":[{"name":null,"version":1,"stores":[]}]}]}"#,
            "origins[0].indexedDB[0].name: it is null, and a string is expected",
        ),
    ] {
        let mut bytes = Vec::new();
        let error = import(state, &mut bytes).await.expect_err(state).to_string();
        assert!(error.contains(why), "{state}: {error}");
        assert!(bytes.is_empty(), "{state}");
    }
}

#[tokio::test]
async fn unreadable_rows_are_named_and_skipped() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for bad in [
        r#"{"valueEncoded":{"d":"yesterday"}}"#.to_owned(),
        r#"{"valueEncoded":{"ref":7}}"#.to_owned(),
        r#"{"valueEncoded":{"ta":{"b":"AAA=","k":"f64"}}}"#.to_owned(),
        r#"{"valueEncoded":{"fn":"binding"}}"#.to_owned(),
        r#"{"key":5}"#.to_owned(),
        format!(r#"{{"value":{}}}"#, deep(10_000)),
    ] {
        let state = format!(
            r#"{{"origins":[{{"origin":"https://a.test","localStorage":[],"indexedDB":[{{"name":"db","version":1,"stores":[
            {{"name":"s","autoIncrement":false,"indexes":[],"records":[{bad},{{"key":1,"value":null}}]}}]}}]}}]}}"#
        );
        let (back, imported, _) = there_and_back(&state).await;
        assert_eq!(imported.lost_count, 1, "{bad:.100}");
        let records = &back["origins"][0]["indexedDB"][0]["stores"][0]["records"];
        assert_eq!(*records, serde_json::json!([{ "key": 1, "value": null }]), "{bad:.100}");
    }
}

#[tokio::test]
async fn parts_of_a_database_that_make_no_sense_are_named_and_left_out() {
    let records = [
        r#"{"context":{"madeByClient":false}}"#,
        r#"{"storage":{"key":"https://a.test/"}}"#,
        r#"{"database":{"name":"d","version":1,"stores":[{"name":"s","keyPath":null,"autoIncrement":true,"indexes":[
            {"name":"none","keyPath":null,"unique":false,"multiEntry":false},
            {"name":"one","keyPath":"a","unique":false,"multiEntry":false}]}]}}"#,
        r#"{"rows":{"store":7,"rows":[[1,2]]}}"#,
    ];
    let mut content = Vec::new();
    let mut writer = Writer::new(&mut content, "").await.expect("written");
    for record in records {
        writer.write(&serde_json::from_str(record).expect("a record")).await.expect("written");
    }
    writer.end(true).await.expect("written");
    let (state, report) = export(content.as_slice()).await.expect("exported");
    let lost: Vec<_> = report.lost.iter().map(|lost| (lost.what.as_str(), lost.place.as_str())).collect();
    let places = [("index", r#"https://a.test/ "d" "s" "none""#), ("rows", r#"https://a.test/ "d" 7"#)];
    assert_eq!(lost, places);
    assert!(state.contains(r#""name":"one""#) && !state.contains(r#""name":"none""#), "{state}");
    import(&state, &mut Vec::new()).await.expect("what was exported can be imported");
}

#[test]
fn parts_without_playwright_equivalent_are_named() {
    for (ours, why) in [
        (r#"["s",3,["0",1]]"#, "holes"),
        (r#"["B","text/plain","AA=="]"#, "Blob"),
        (r#"["d",null]"#, "date"),
        (r#"["a",[["d",0],["r",1]]]"#, "twice"),
        (r#"["v","Uint8Array",["b","AAAA"],1,2]"#, "part"),
        (r#"["v","DataView",["b","AAAA"],0,3]"#, "DataView"),
        (r#"["e","Error","m",null,null]"#, "cause"),
        (r#"["o",["__proto__",1]]"#, "__proto__"),
        (r#"["b","AA==",8]"#, "grow"),
        (r#"["o"]"#, "lacks"),
        ("[5]", "cannot be read"),
        ("[]", "lacks"),
    ] {
        let raw = RawValue::from_string(ours.to_owned()).expect("JSON");
        let error = value::ToPlaywright::default().write(&raw).expect_err(ours);
        assert!(error.contains(why), "{ours}: {error}");
    }
}

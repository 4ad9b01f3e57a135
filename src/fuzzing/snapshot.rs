//! Content of a snapshot and states of Playwright are refused with a reason, or kept without loss.

use futures_util::FutureExt as _;
use serde_json::Value;

use super::is_same;
use crate::snapshot::{
    ContentError, Report, check,
    ndjson::{Reader, Writer, check_within},
    playwright::{export, import},
    record::Record,
};

/// The most bytes of a line, as an import has it.
const MOST_LINE: usize = 64 * 1024;

/// A record of each kind.
const RECORDS: &str = r#"{"header":{"version":1,"browser":"HeadlessChrome/156.0.8078.79"}}
{"context":{"madeByClient":false}}
{"permissions":[{"how":"grant","params":{"permissions":["geolocation"],"origin":"https://a.test"}}]}
{"cookies":[{"name":"a","value":"b","domain":".a.test","path":"/","expires":1830203199.5,"httpOnly":true,"secure":true,"sameSite":"None","priority":"High","sourceScheme":"Secure","sourcePort":443,"partitionKey":{"topLevelSite":"https://b.test","hasCrossSiteAncestor":true}}]}
{"storage":{"key":"https://a.test/"}}
{"localStorage":[["k","v"],["\ud800","é"]]}
{"database":{"name":"db","version":3,"stores":[{"name":"s","keyPath":null,"autoIncrement":true,"nextKey":5,"indexes":[{"name":"i","keyPath":["a","b"],"unique":false,"multiEntry":false}]},{"name":"t","keyPath":"id","autoIncrement":false,"indexes":[]}]}}
{"rows":{"store":0,"rows":[[1,["o",["a",["a",[1,null,["r",0]]],"d",["d",951782400000],"n",["n","-0"],"u",["u"],"i",["i","12"]]]],[["d",0],["m",["k",["S",[1]],["x","a","g"],["e","Error","m",null]]]],["b",["v","Uint16Array",["b","AAAA/w=="],0,2]]]}}
{"storage":{"key":"https://a.test/^0https://top.test"}}
{"localStorage":[["k","v"]]}
{"page":{"url":"https://a.test/x","title":"T","history":[{"url":"https://a.test/","title":"T"}],"current":0,"scroll":[0.0,12.5],"opener":0,"front":true,"sessionStorage":[{"key":"https://a.test/","items":[["k","v"]]}],"fields":[{"number":0,"tag":"INPUT","value":"x","checked":true}],"emulation":[{"what":"locale","params":{"locale":"de"}}]}}
{"lost":{"what":"row","place":"https://a.test/ db","why":"it is too large"}}
{"context":{"madeByClient":true}}
{"end":{"counts":{"contexts":2,"cookies":1,"origins":2,"localStorage":3,"sessionStorage":1,"databases":1,"rows":3,"pages":1,"bytes":0},"complete":true}}
"#;

/// One value of each kind of Playwright's.
const STATE: &str = r#"{"cookies":[{"name":"a","value":"b","domain":"a.test","path":"/","expires":-1,"httpOnly":true,"secure":false,"sameSite":"Lax"}],"origins":[{"origin":"https://a.test","localStorage":[{"name":"k","value":"v"}],"indexedDB":[{"name":"db","version":1,"stores":[{"name":"s","autoIncrement":false,"keyPath":"id","indexes":[{"name":"i","keyPathArray":["a","b"],"multiEntry":false,"unique":true}],"records":[{"value":{"id":1,"x":[1,"y",null]}},{"key":2,"valueEncoded":{"o":[{"k":"d","v":{"d":"2000-02-29T00:00:00.000Z"}},{"k":"n","v":{"v":"-0"}},{"k":"b","v":{"bi":"12"}},{"k":"e","v":{"e":{"n":"Error","m":"m","s":""}}},{"k":"r","v":{"r":{"p":"a","f":"g"}}},{"k":"m","v":{"m":[{"k":1,"v":{"s":[2],"id":3}}],"id":2}},{"k":"t","v":{"ta":{"b":"AAA=","k":"ui8"}}},{"k":"ab","v":{"ab":{"b":"AAA="}}},{"k":"self","v":{"ref":1}}],"id":1}}]}]}],"opfs":[{"name":"f"}]}]}"#;

pub(super) fn fixtures() -> Vec<Vec<u8>> {
    let mut seeds = vec![RECORDS.as_bytes().to_vec(), STATE.as_bytes().to_vec()];
    seeds.push(include_bytes!("../../fixtures/storage-state.json").to_vec());
    seeds.extend(RECORDS.lines().map(|line| line.as_bytes().to_vec()));
    let mut records = Vec::new();
    if now(import(STATE, &mut records)).is_ok() {
        seeds.push(records);
    }
    seeds
}

/// Nothing here waits: all readers and writers are memory.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("memory is always ready")
}

pub(super) fn run(input: &[u8]) {
    match now(check_within(input, MOST_LINE)) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(trailer) => assert_eq!(read(input).expect("it was checked").1, trailer.counts),
    }
    records(input);
    if let Ok(text) = str::from_utf8(input) {
        state(text);
    }
}

/// The lines of content, and their counts.
fn read(content: &[u8]) -> Result<(Vec<Record>, crate::snapshot::Counts), ContentError> {
    let mut reader = now(Reader::new(content))?;
    let mut records = Vec::new();
    while let Some(record) = now(reader.next())? {
        records.push(record);
    }
    Ok((records, reader.counts().clone()))
}

/// Lines as a writer has them: the counts at the end are always right, so what is wrong is the lines themselves.
fn records(input: &[u8]) {
    let lines = input.split(|byte| *byte == b'\n');
    let records: Vec<Record> = lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .filter(|record| !matches!(record, Record::Header(_) | Record::End(_)))
        .collect();
    let mut content = Vec::new();
    now(async {
        let mut writer = Writer::new(&mut content, "Chrome/1").await?;
        for record in &records {
            writer.write(record).await?;
        }
        writer.end(true).await
    })
    .expect("memory can be written");
    // Out of order: a row before its database.
    if now(check(content.as_slice())).is_err() {
        return;
    }
    let (again, _) = read(&content).expect("it was checked");
    assert_eq!(again.len(), records.len());
    for (again, record) in again.iter().zip(&records) {
        let [again, record] = [again, record].map(|record| serde_json::to_string(record).expect("JSON"));
        assert!(is_same_text(&again, &record), "{record} is read as {again}");
    }
    let (text, _) = now(export(content.as_slice())).expect("a snapshot can be exported");
    let mut content = Vec::new();
    let imported = now(import(&text, &mut content)).unwrap_or_else(|error| panic!("{text} is exported: {error}"));
    assert!(imported.complete);
}

/// A state that is imported is exported as the same, but for what the reports name.
fn state(text: &str) {
    let Ok((content, _)) = imported(text) else { return };
    let (once, _) = now(export(content.as_slice())).expect("what was imported can be exported");
    let (content, report) = imported(&once).unwrap_or_else(|why| panic!("{once} is exported, and refused: {why}"));
    assert_eq!(report.lost_count, 0, "{once} is exported, and not kept: {:?}", report.lost);
    let (twice, report) = now(export(content.as_slice())).expect("what was imported can be exported");
    assert_eq!(report.lost_count, 0, "{once} is exported, and then not: {:?}", report.lost);
    assert!(is_same_text(&once, &twice), "{once} becomes {twice}");
}

fn imported(text: &str) -> Result<(Vec<u8>, Report), String> {
    let mut content = Vec::new();
    let report = now(import(text, &mut content)).map_err(|error| error.to_string())?;
    let trailer = now(check(content.as_slice())).expect("what was imported is a snapshot");
    assert!(trailer.complete);
    assert_eq!(trailer.counts.contexts, 1);
    Ok((content, report))
}

/// Whether two JSON texts are the same, but for the last digit of a number.
fn is_same_text(one: &str, other: &str) -> bool {
    // `serde_json` reads no lone surrogates.
    let plain = |text: &str| serde_json::from_str::<Value>(&text.replace("\\ud", "\\u0").replace("\\uD", "\\u0"));
    one == other
        || match (plain(one), plain(other)) {
            (Ok(one), Ok(other)) => is_same(&one, &other),
            _ => false,
        }
}

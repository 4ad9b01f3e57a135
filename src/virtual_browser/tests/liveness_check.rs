use super::*;

const ASK: &str = "call S Page.getLayoutMetrics {}";
const PRINT: &str = "call S Page.printToPDF {}";

fn prints(pair: &mut Pair, id: i32) -> Vec<String> {
    pair.says(&format!(r#"{{"id":{id},"method":"Page.printToPDF","params":{{}},"sessionId":"S"}}"#))
}

#[test]
fn checked_commands_are_sent_one_by_one_after_a_check() {
    let mut pair = Pair::with_page();
    assert_eq!(prints(&mut pair, 1), [ASK]);
    assert_eq!(prints(&mut pair, 2), [""; 0]);
    assert_eq!(prints(&mut pair, 3), [""; 0]);
    assert_eq!(pair.result("{}"), [PRINT]);
    assert_eq!(pair.result(r#"{"data":""}"#), [ASK, r#"1: {"id":1,"result":{"data":""},"sessionId":"S"}"#]);
    // The one is refused by Chrome, the other's page cannot be asked: each is answered, and the next has its turn.
    assert_eq!(pair.result("{}"), [PRINT]);
    let refused = r#"1: {"id":2,"error":{"code":-32000,"message":"no"},"sessionId":"S"}"#;
    assert_eq!(pair.error(-32000, "no"), [ASK, refused]);
    let refused = r#"1: {"id":3,"error":{"code":-32601,"message":"what"},"sessionId":"S"}"#;
    assert_eq!(pair.error(-32601, "what"), [refused]);
    pair.is_at_rest();
    assert_eq!(prints(&mut pair, 4), [ASK]);
}

#[test]
fn checked_commands_are_not_sent_to_crashed_pages() {
    for crashed in [true, false] {
        let mut pair = Pair::with_page();
        prints(&mut pair, 1);
        prints(&mut pair, 2);
        let told = if crashed {
            Told::Crashed { target: "P".into(), params: "{}".to_owned() }
        } else {
            Told::Destroyed { target: "P".into() }
        };
        let failed = |id: i32| {
            format!(r#"1: {{"id":{id},"error":{{"code":-32000,"message":"Target crashed"}},"sessionId":"S"}}"#)
        };
        assert_eq!(pair.told(told), [failed(1), failed(2)]);
        // A late reply, after the page has navigated, is dropped.
        assert_eq!(pair.result("{}"), [""; 0]);
        pair.is_at_rest();
    }
}

#[test]
fn checked_commands_are_answered_once_when_page_and_cdp_session_end() {
    for page_first in [true, false] {
        let mut pair = Pair::with_page();
        prints(&mut pair, 1);
        prints(&mut pair, 2);
        let mut got = Vec::new();
        let gone = |pair: &mut Pair| pair.detached("ROOT", "S", "P", &[]);
        if !page_first {
            got.extend(gone(&mut pair));
        }
        got.extend(pair.told(Told::Crashed { target: "P".into(), params: "{}".to_owned() }));
        if page_first {
            got.extend(gone(&mut pair));
        }
        let answers = |id: i32| got.iter().filter(|frame| frame.contains(&format!(r#""id":{id},"error""#))).count();
        assert_eq!((answers(1), answers(2)), (1, 1), "{got:?}");
    }
}
